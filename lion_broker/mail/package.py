"""What a mail carries: an item and the category that says how to apply it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from lion_broker.core.ids import IDType

__all__ = ["Package", "PackageCategory"]


class PackageCategory(StrEnum):
    """How a recipient applies an item: LionAGI's ten categories, and `command` for remote operations."""

    MESSAGE = "message"
    TOOL = "tool"
    IMODEL = "imodel"
    NODE = "node"
    NODE_LIST = "node_list"
    NODE_ID = "node_id"
    START = "start"
    END = "end"
    CONDITION = "condition"
    SIGNAL = "signal"
    COMMAND = "command"

    @classmethod
    def validate(cls, value: Any) -> PackageCategory:
        """Return the category named by `value`; raises ValueError for anything else."""
        try:
            return cls(value)
        except ValueError:
            raise ValueError(
                f"Invalid value for category: {value!r}; one of {', '.join(sorted(cls))} is needed."
            ) from None


@dataclass(frozen=True, slots=True)
class Package:
    """An item and its category; frozen, with an id and a time of its own."""

    category: PackageCategory
    item: Any
    request_source: Any = None
    id: IDType = field(default_factory=IDType.create)
    created_at: float = field(default_factory=time.time)

    def __post_init__(self) -> None:
        if type(self.category) is not PackageCategory:
            object.__setattr__(self, "category", PackageCategory.validate(self.category))
