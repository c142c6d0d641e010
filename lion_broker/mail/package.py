"""What a mail carries: an item and the category that says how to apply it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Protocol, Self, runtime_checkable

from lion_broker.core.ids import IDType

__all__ = ["Package", "PackageCategory", "UnreadItem"]

_new: Final = object.__new__
_put: Final = object.__setattr__


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


@runtime_checkable
class UnreadItem(Protocol):
    """What an item is made of, of which all has been looked at, so that making it cannot fail."""

    def make(self) -> Any:
        """Return the item."""


@dataclass(frozen=True, slots=True)
class Package:
    """An item and its category; frozen, with an id and a time of its own."""

    category: PackageCategory
    item: Any
    request_source: Any = None
    id: IDType = field(default_factory=IDType.create)
    created_at: float = field(default_factory=time.time)
    unread: UnreadItem | None = field(default=None, init=False, repr=False, compare=False)
    """What the item is made of when somebody first looks at it, where it came by mail."""

    def __post_init__(self) -> None:
        if type(self.category) is not PackageCategory:
            _put(self, "category", PackageCategory.validate(self.category))

    @classmethod
    def of_unread(
        cls, category: PackageCategory, unread: UnreadItem, request_source: Any, id: IDType, created_at: float
    ) -> Self:
        """Return a package whose item is made when somebody looks at it."""
        package = _new(cls)
        _put(package, "category", category)
        _put(package, "request_source", request_source)
        _put(package, "id", id)
        _put(package, "created_at", created_at)
        _put(package, "unread", unread)
        return package

    def __getattr__(self, name: str) -> Any:
        # Only called for what is not there, and of the fields that is an item which nobody has looked at.
        if name != "item" or self.unread is None:
            raise AttributeError(f"A Package has no {name}.", name=name, obj=self)
        item = self.unread.make()
        _put(self, "item", item)
        return item
