"""The ready stream of a pool."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field, replace

from lion_broker.mail.records import ReadyEntry

__all__ = ["Pool"]


@dataclass(slots=True)
class Pool:
    """The ready stream of a pool: entries that nobody has read, and those read, the longest ago first.

    Of those it is known when, and by whom if that reader has what they hand out.
    """

    unread: deque[ReadyEntry] = field(default_factory=deque)
    read: dict[str, tuple[ReadyEntry, float, str]] = field(default_factory=dict)
    wanted: int | None = None

    def take(self, count: int, reader: str) -> tuple[ReadyEntry, ...]:
        """Give out up to `count` entries that nobody has read; those that hand out a mail do so to a named reader."""
        taken = tuple(self.unread.popleft() for _ in range(min(count, len(self.unread))))
        self.read |= {entry.id: (entry, time.monotonic(), reader) for entry in taken}
        return taken if reader else tuple(replace(entry, given=None) for entry in taken)

    def reader(self, entry: str) -> str:
        """Who has what an entry hands out, if anybody."""
        return self.read[entry][2] if entry in self.read else ""

    def drop(self, entry: str) -> None:
        """Forget an entry, read or not."""
        if not self.read.pop(entry, None):
            self.unread = deque(ready for ready in self.unread if ready.id != entry)

    def leave(self, entry: str, idle_ms: int, until: float) -> None:
        """Look at an entry again only after others, and when the lease of its owner ends."""
        ready, _, reader = self.read.pop(entry)
        self.read[entry] = (ready, min(time.monotonic(), until - idle_ms / 1000), reader)

    def idle(self, idle_ms: int, limit: int) -> list[ReadyEntry]:
        """The first entries that were read, or left, at least so long ago."""
        until = time.monotonic() - idle_ms / 1000
        return [ready for ready, at, _ in self.read.values() if at <= until][:limit]
