"""What a model answered: whole, and piece by piece."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["ModelChunk", "ModelReply", "ToolCall"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that the model wants called. `arguments` are JSON text as the model wrote it, which may be broken."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ModelReply:
    """One answer of a model.

    `usage` holds the provider's own token counts, with prompt_tokens, completion_tokens and total_tokens among them,
    and is empty when it gave none. `label` is what must be said wherever the text is shown, such as that no language
    model was used; empty for ordinary models. `raw` is the provider's whole answer, empty for a streamed one.
    """

    text: str
    model: str
    usage: Mapping[str, Any] = field(default_factory=dict)
    finish_reason: str = "stop"
    label: str = ""
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)
    tool_calls: tuple[ToolCall, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelChunk:
    """A piece of a streamed answer: some text, or at the end the whole `reply`."""

    text: str = ""
    reply: ModelReply | None = None
