"""What a mail says, in a line: the beginning of it, for people who look over many."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic_core import from_json, to_json

from lion_broker.core.portable import one_line

__all__ = ["preview", "preview_of"]

_MOST: Final = 200
_LARGEST: Final = 64 * 1024
"""Bytes of a body that is looked into; what is larger is named by its size."""
_SAID: Final = ("instruction", "assistant_response", "system_message", "function", "output", "content", "name", "op")
"""Where messages, nodes, tools, models and commands have what a person knows them by, the best first."""


def preview_of(body: bytes) -> str:
    """Return the beginning of what a mail's body says, in one line; never raises."""
    if len(body) > _LARGEST:
        return f"({len(body):,} bytes)"
    try:
        value = from_json(body)
    except ValueError:
        return ""
    return preview(value.get("item") if isinstance(value, dict) else value)


def preview(item: Any) -> str:
    """Return the beginning of what an item of JSON values says, in one line of at most 200 characters."""
    told = _told(item)
    if told is None:
        return ""
    return one_line(told if isinstance(told, str) else to_json(told).decode(), _MOST)


def _told(item: Any) -> Any:
    if not isinstance(item, Mapping):
        return item
    for values in (item.get("content"), item):
        if isinstance(values, Mapping):
            told = next((values[name] for name in _SAID if values.get(name) not in (None, "", {}, [])), None)
            if told is not None:
                return told
    return dict(item)
