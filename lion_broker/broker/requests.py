"""A question to the server without any I/O: the commands to send, and how to read the replies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Argument", "Command", "Request"]

Argument = str | bytes | int | float
Command = tuple[Argument, ...]


def _never(replies: Sequence[Any]) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Request:
    """Commands that go in one round trip, and what their replies mean.

    `wait_ms` is how long the server may hold the first command before it answers. While `again(replies)` holds, the
    commands are sent once more: a bounded batch left something to do.
    """

    commands: tuple[Command, ...]
    parse: Callable[[Sequence[Any]], Any]
    wait_ms: int = 0
    again: Callable[[Sequence[Any]], bool] = _never
