"""ModelReply: what a model answered."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["ModelReply"]


@dataclass(frozen=True, slots=True)
class ModelReply:
    """One answer of a model.

    `usage` holds the provider's own token counts and is empty when it gave none. `label` is what must be said
    wherever the text is shown, such as that no language model was used; empty for ordinary models. `raw` is
    the provider's whole answer.
    """

    text: str
    model: str
    usage: Mapping[str, int] = field(default_factory=dict)
    finish_reason: str = "stop"
    label: str = ""
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)
