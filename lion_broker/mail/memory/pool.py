"""The ready stream of a pool, and the overflow behind it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import Final

from lion_broker.mail.records import OVER, ReadyEntry

__all__ = ["GIVEN_READY", "Pool", "Side"]

GIVEN_READY: Final = 1024
"""Behind so many branches no entry hands out a mail."""
_LONG: Final = 32
"""Behind so many, and those at work count, a session lets those of others pass."""
_SIDE_BY_SIDE: Final = 4


@dataclass(slots=True)
class Side:
    """How many branches of a session came into the ready stream since the first that may still wait, and that one."""

    branches: int = 0
    first: ReadyEntry | None = None


@dataclass(slots=True)
class Pool:
    """The ready stream of a pool: entries that nobody has read, and those read, the longest ago first.

    Of those it is known when, and by whom if that reader has what they hand out. `over` is the overflow.
    """

    unread: dict[str, ReadyEntry] = field(default_factory=dict)
    over: dict[str, ReadyEntry] = field(default_factory=dict)
    read: dict[str, tuple[ReadyEntry, float, str]] = field(default_factory=dict)
    length: int = 0
    """Of the ready stream, with what was read."""
    wanted: int | None = None
    pause: str = ""
    """Why branches that are made for it begin paused."""

    @property
    def waiting(self) -> Iterator[ReadyEntry]:
        """What nobody has read."""
        return chain(self.unread.values(), self.over.values())

    def lets_pass(self, side: Side, *, begun: bool) -> bool:
        """Whether the next branch of a session is to stand in the overflow.

        A side begins anew when its first is not there any more, or was read by somebody who begins at once, or has
        `begun`.
        """
        if self.length < _LONG:
            return False
        if side.branches >= _SIDE_BY_SIDE and side.first is not None:
            _, _, reader = self.read.get(side.first.id, (None, 0.0, ""))
            in_line = side.first.id in self.read and not reader and not begun
            if side.first.id not in self.unread and not in_line:
                side.branches = 0
        return side.branches >= _SIDE_BY_SIDE

    def put(self, ready: ReadyEntry, side: Side) -> None:
        """Add an entry that nobody has read, where its name says."""
        if ready.id.startswith(OVER):
            self.over[ready.id] = ready
            return
        if self.length >= _LONG:
            side.first = side.first if side.branches else ready
            side.branches += 1
        self.unread[ready.id] = ready
        self.length += 1

    def take(self, count: int, reader: str, *, overflow: bool) -> tuple[ReadyEntry, ...]:
        """Give out up to `count` entries that nobody has read, and as many of the overflow where that is asked for.

        Those that hand out a mail do so to a named reader.
        """
        taken = tuple(chain(islice(self.unread.values(), count), islice(self.over.values(), count * overflow)))
        for entry in taken:
            self._forget(entry.id)
        self.read |= {entry.id: (entry, time.monotonic(), reader) for entry in taken}
        return taken if reader else tuple(replace(entry, given=None) for entry in taken)

    def reader(self, entry: str) -> str:
        """Who has what an entry hands out, if anybody."""
        return self.read[entry][2] if entry in self.read else ""

    def drop(self, entry: str) -> None:
        """Forget an entry, read or not."""
        if self.read.pop(entry, None) or self._forget(entry):
            self.length -= not entry.startswith(OVER)

    def _forget(self, entry: str) -> ReadyEntry | None:
        return self.unread.pop(entry, None) or self.over.pop(entry, None)

    def leave(self, entry: str, idle_ms: int, until: float) -> None:
        """Look at an entry again only after others, and when the lease of its owner ends."""
        ready, _, reader = self.read.pop(entry)
        self.read[entry] = (ready, min(time.monotonic(), until - idle_ms / 1000), reader)

    def idle(self, idle_ms: int, limit: int) -> list[ReadyEntry]:
        """The first entries of either stream that were read, or left, at least so long ago."""
        until = time.monotonic() - idle_ms / 1000
        found = [ready for ready, at, _ in self.read.values() if at <= until]
        ahead = [ready for ready in found if not ready.id.startswith(OVER)]
        return ahead[:limit] + [ready for ready in found if ready.id.startswith(OVER)][:limit]
