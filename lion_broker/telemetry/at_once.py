"""What a worker does for several branches at once, so that they share a span.

Branches that are ready together are claimed together, and their answers are read in one pass of the event loop, and so
are those to their commits. With spans of their own, the only mail of a branch would cost as much again to be watched.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Final, Protocol

from .later import later, tell

__all__ = ["Shared", "share", "tell_all"]


class Shared(Protocol):
    """Something that a span is going to stand for; what has the same `key` may share it."""

    @property
    def key(self) -> object:
        """What must be the same."""

    def joined_by(self, one: Any) -> bool:
        """Let the span stand for one more, of the same kind; False where that is too much."""

    def end(self) -> None:
        """Make the span."""


def share(one: Shared) -> None:
    """Have the span made when the event loop has come round, for all that share it by then; without a loop, now."""
    _now.take(one)


def tell_all() -> None:
    """Make all spans that wait, here and in `later`: nothing follows."""
    _now.close()
    tell()


class _Pass(threading.local):
    """What is to end when the event loop of this thread has come round."""

    _loop: asyncio.AbstractEventLoop | None = None

    def __init__(self) -> None:
        self._open: dict[object, Shared] = {}

    def take(self, one: Shared) -> None:
        """Let it share what is open with its key, or open it."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            one.end()
            return
        if self._loop is not loop:
            # An earlier loop may have ended before it came round.
            self.close()
            self._loop = loop
            loop.call_soon(self.close)
        known = self._open.setdefault(one.key, one)
        if known is not one and not known.joined_by(one):
            later(known.end)
            self._open[one.key] = one

    def close(self) -> None:
        """End what is open."""
        found, self._open, self._loop = self._open, {}, None
        for one in found.values():
            later(one.end)


_now: Final = _Pass()
