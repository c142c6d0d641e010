"""What a worker asks for when it looks for branches that have work."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from lion_broker.mail.records import OVER, ReadyEntry
from lion_broker.mail.verbs import ReadReady

from .load import Load
from .schedule import Schedule

__all__ = ["Reading"]

_WAIT_MS: Final = 500
_WAIT_ONCE_MS: Final = 50
"""How long one waits that ends when it finds nothing: whoever waits for that end waits no longer."""
_GLANCE_MS: Final = 10
"""How long a read waits that leaves the overflow out: seats may be free by then."""
_MOST_GLANCES: Final = 4
"""After so many of these the overflow is read too, or sessions that keep the line full would hold it up for ever."""
_MOST_READ: Final = 16
_AT_A_GLANCE: Final = 4
"""So many at once may wait here for a seat with mail that was handed out; if the worker dies then, it has tried it."""


class Reading:
    """Says which read comes next, by the room that `schedule` has.

    Where branches stand in the overflow and some that were read wait in line, those of it would only make the line
    longer, and who comes last in the ready stream would wait for the line: so that stream is read alone.
    """

    def __init__(self, schedule: Schedule, load: Load, pool: str, owner: str) -> None:
        self._schedule = schedule
        self._load = load
        self._pool = pool
        self._owner = owner
        self._crowded = False
        self._glances = 0
        self.until_idle = False
        """Whether the worker ends with a read that finds nothing."""

    def next(self) -> ReadReady | None:
        """Return what to read now; None while there is no room for more."""
        room, free, behind = self._schedule.room, self._schedule.free, self._schedule.behind
        if room <= 0:
            return None
        # Who has more to do than it can waits for no more: what comes goes to those who wait for it.
        glance, wait = (0, 0) if self._load.behind else (_GLANCE_MS, _WAIT_ONCE_MS if self.until_idle else _WAIT_MS)
        due = self._glances >= _MOST_GLANCES and room > behind
        both = due or not (self._crowded and self._schedule.in_line)
        if not both:
            # Of each session few wait in that stream and in all lines together. They come with their mail though others
            # wait for a seat: those that have some are new, of a session that is likely to have a seat left.
            return ReadReady(self._pool, self._owner, _AT_A_GLANCE, glance, overflow=False)
        # So many come of each stream; what waits in line here is not there for other workers.
        most = min(_MOST_READ, max(1, room // 2) if self._crowded else room)
        if self._crowded and free < most:
            # As at a glance: what is new comes with its mail, also where the overflow is read with it.
            return ReadReady(self._pool, self._owner, min(_AT_A_GLANCE, most), wait)
        return ReadReady(self._pool, self._owner, most, wait, free)

    def note(self, read: ReadReady, found: Iterable[ReadyEntry]) -> None:
        """Note what a read has found."""
        if read.overflow:
            self._crowded, self._glances = any(ready.id.startswith(OVER) for ready in found), 0
        else:
            self._glances += 1
