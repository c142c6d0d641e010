"""Messages gathered over branches: in order of creation, none twice, and what was gathered before not again."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from lion_broker.core.collector import collector_paused
from lion_broker.core.deferred import Deferred
from lion_broker.core.frames import copied, extended, messages_to_frame
from lion_broker.core.pile import Pile
from lion_broker.messages import RoledMessage
from lion_broker.messages.written import Unread

if TYPE_CHECKING:
    from lion_broker.core.frames import DataFrame

__all__ = ["Gathered", "MessageSource"]

_MANY: Final = 10_000

Row: TypeAlias = RoledMessage | Unread
"""A message, or what can be said of one that nobody has looked at."""


@dataclass(frozen=True, slots=True)
class MessageSource:
    """Messages, and the name of the branch that they are found in."""

    messages: Pile[RoledMessage]
    home: str


@dataclass(frozen=True, slots=True)
class _Mark:
    """How much of a source was gathered: so many messages, after so many changes that were no additions."""

    source: MessageSource
    edits: int
    length: int


class Gathered:
    """The messages of some sources, sorted by time of creation and then by id, and the frame of them.

    `take` looks at new messages only, unless older ones have changed, have gone, or are found in another branch now.
    """

    def __init__(self, exclude_clone: bool, exclude_load: bool) -> None:
        self.terms = (exclude_clone, exclude_load)
        self._begin()

    def _begin(self) -> None:
        self.rows: list[Row] = []
        self._homes: dict[str, str] = {}
        self._marks: dict[int, _Mark] = {}
        self._frame: DataFrame | None = None
        self._framed = 0
        """So many of the messages, from the first on, are in the frame."""

    def take(self, sources: Sequence[MessageSource]) -> None:
        """Take in what is new in the sources, which are all that there are now."""
        before = len(self.rows)
        with collector_paused():
            looks = [self._look(source) for source in sources]
            if not self._goes_on(looks) or not self._add(looks, doubles=False):
                self._begin()
                looks = [self._look(source) for source in sources]
                self._add(looks, doubles=True)
            self._marks = {id(mark.source.messages): mark for mark, _ in looks}
        if len(self.rows) - before >= _MANY:
            # Very many new objects are looked through now, and not in the middle of what comes next.
            gc.collect()

    def messages(self) -> list[RoledMessage]:
        """Return the messages; those that nobody has looked at before are made now, by the piles that they are in."""
        if any(isinstance(row, Deferred) for row in self.rows):
            for mark in self._marks.values():
                mark.source.messages.values()
            self.rows = [row.made() if isinstance(row, Deferred) else row for row in self.rows]
        return cast("list[RoledMessage]", self.rows)

    def frame(self) -> DataFrame:
        """Return a frame of the messages; those that were in the last one are not looked at again."""
        part = messages_to_frame(self.rows[self._framed :], branch_of=lambda message: self._homes[message.id])
        if self._frame is None:
            self._frame = part
        elif len(self.rows) != len(self._frame) or self._framed != len(self._frame):
            self._frame = extended(self._frame, self._framed, part)
        self._framed = len(self.rows)
        return copied(self._frame)

    def _look(self, source: MessageSource) -> tuple[_Mark, list[Row]]:
        """How far a source is now, and what is new in it."""
        before = self._marks.get(id(source.messages))
        with source.messages as messages:
            mark = _Mark(source, messages.edits, len(messages))
            return mark, cast("list[Row]", messages.tail(mark.length - (before.length if before else 0)))

    def _goes_on(self, looks: Sequence[tuple[_Mark, list[Row]]]) -> bool:
        """Whether all that was gathered is still there as it was."""
        now = {id(mark.source.messages): mark for mark, _ in looks}
        return all(
            place in now and (now[place].source.home, now[place].edits) == (mark.source.home, mark.edits)
            for place, mark in self._marks.items()
        )

    def _add(self, looks: Sequence[tuple[_Mark, list[Row]]], *, doubles: bool) -> bool:
        """Sort new messages in; False, and to begin anew, when without `doubles` one of them is here already.

        A message that several branches have is taken as it is in the first of them.
        """
        exclude_clone, exclude_load = self.terms
        fresh: dict[str, Row] = {}
        homes = self._homes
        for mark, new in looks:
            home = mark.source.home
            for message in new:
                if (exclude_clone and message.is_clone()) or (exclude_load and message.is_loaded()):
                    continue
                if not doubles and message.id in homes and message.id not in fresh:
                    return False
                homes.setdefault(message.id, home)
                fresh.setdefault(message.id, message)
        arrived = _sorted(fresh.values())
        if not arrived:
            return True
        cut = _place(self.rows, arrived[0])
        self._framed = min(self._framed, cut)
        self.rows[cut:] = _sorted([*self.rows[cut:], *arrived])
        return True


def _sorted(messages: Iterable[Row]) -> list[Row]:
    # One key after the other: a pair for each message would be as many more objects as there are messages.
    found = sorted(messages, key=attrgetter("id"))
    found.sort(key=attrgetter("created_at"))
    return found


def _place(messages: list[Any], new: Row) -> int:
    """Where a new message belongs; near the end of the others nearly always, so that is where the search begins."""
    place, key = len(messages), (new.created_at, new.id)
    while place and (messages[place - 1].created_at, messages[place - 1].id) > key:
        place -= 1
    return place
