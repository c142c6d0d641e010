"""The newest mail of a session, however large it is: so many branches, so many records of their logs, and no more.

Which branches: all where there are few, else those that the live tail names, newest first, and the first of the roster.
What of each log: its newest turns, more of them the fewer logs there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import inf
from typing import Final

from lion_broker.errors import ItemNotFoundError
from lion_broker.mail.exchange import PAUSE, Steps, ask, together
from lion_broker.mail.records import START
from lion_broker.mail.verbs import ReadBranches, ReadEvents, ReadSession

from .history import MOST, History, LogReader, Story

__all__ = ["RecentHistory"]

_RECORDS: Final = 40_000
_BRANCHES: Final = 2_000
_PAGE: Final = 1000
_EVENTS: Final = 2000
_TOGETHER: Final = 10
_PROBE: Final = 4
"""Turns at the end of a log that are read first, to learn how much a turn holds."""


class RecentHistory(History):
    """As `History`, but each `read_steps` reads about `records` records of the logs of about `branches` branches.

    `total` is how many branches there are, `logs` of how many of them something was read, `taken` how many records.
    `cut` says that there is more. `wanted` are branches whose logs are to be read first.
    """

    def __init__(self, session: str, *, most: int = MOST, records: int = _RECORDS, branches: int = _BRANCHES) -> None:
        super().__init__(session, most=most)
        self.total = 0
        self.taken = 0
        self.cut = False
        self.wanted: list[str] = []
        self._records = records
        self._branches = branches
        self._tip = START
        self._active: dict[str, None] = {}
        self._first: dict[str, int] = {}
        """The version after which each log was read."""
        self._since: dict[str, float] = {}
        """When the first turn was made that was read of a log, by the exchange's clock."""
        self._reached: dict[str, float] = {}
        """When the mail had been delivered that it handled: a branch with much to do is behind."""

    @property
    def logs(self) -> int:
        """Of how many branches something was read."""
        return len(self._first) - (self.session in self._first)

    def read_steps(self) -> Steps[None]:
        """Read what is new, as far as it is among the newest. Raises ItemNotFoundError: no such session."""
        session = yield from ask(ReadSession(self.session))
        if session is None:
            raise ItemNotFoundError(f"There is no session {self.session}; `lion-broker session ls` lists all.")
        self.total = session.branches
        yield from self._read_roster_steps()
        left = yield from self._read_logs_steps(self._unread(), self._records)
        # Mail goes to branches, and comes from some, that were not known before.
        yield from self._read_removed_steps()
        yield from self._read_logs_steps(self._unread(), left)
        self.cut = self.cut or self.total > len(self.records)

    def knows_end_of(self, story: Story) -> bool:
        """Whether the log of its recipient was read from the beginning, or from mail before it on."""
        first = self._first.get(story.recipient)
        if first == 0 or story.recipient not in self.records:
            return True
        return story.posted is not None and self._reached.get(story.recipient, inf) < story.posted

    def told_from(self) -> float:
        """From when on everything was read that logs tell, by the exchange's clock.

        A mail that was sent after that is in none of the turns that were not read, neither as sent nor as applied. 0.0
        says that all was read, infinity that of some log nothing was.
        """
        return self._latest(self._since)

    def handled_from(self) -> float:
        """From when on all was read about mail that was handled, or tried: that was delivered after this moment.

        It is before `told_from` where branches handle what has waited long: a mailbox is handled in its order.
        """
        return self._latest(self._reached)

    def _latest(self, moments: Mapping[str, float]) -> float:
        if self.total > len(self.records):
            return inf
        written = [branch for branch, record in self.records.items() if record.version]
        return max((0.0 if self._first.get(one) == 0 else moments.get(one, inf) for one in written), default=0.0)

    def _read_roster_steps(self) -> Steps[None]:
        yield from self._read_tail_steps()
        if self.total <= self._branches:
            yield from self._read_branches_steps()
            return
        self._note((yield from ask(ReadBranches(self.session, (self.session,)))))
        ids = list(dict.fromkeys([*self.wanted, *reversed(self._active), *self.records]))[: self._branches]
        for first in range(0, len(ids), _PAGE):
            self._note((yield from ask(ReadBranches(self.session, tuple(ids[first : first + _PAGE])))))
            yield PAUSE
        if len(self.records) < self._branches:
            self._note((yield from ask(ReadBranches(self.session, count=_PAGE))))

    def _read_tail_steps(self) -> Steps[None]:
        """Note which branches have taken turns of late, the newest last; of very many the newest."""
        for one in (yield from ask(ReadEvents(self.session, self._tip, _EVENTS, gaps=False))):
            self._tip = one.id
            if one.kind == "turn" and (branch := one.fields.get("branch")):
                self._active.pop(branch, None)
                self._active[branch] = None
        for branch in list(self._active)[: -self._branches]:
            del self._active[branch]

    def _read_logs_steps(self, unread: set[str], left: int) -> Steps[int]:
        """Read the ends of logs, and as much before them as there is room for; returns the room that is left."""
        order = dict.fromkeys([*self.wanted, *reversed(self._active), *self.records])
        room = max(0, self._branches - self.logs)
        known = [one for one in order if one in unread and one in self._first]
        new = [one for one in order if one in unread and one not in self._first]
        self.cut = self.cut or len(new) > room
        # Those that have turned of late are read even where many others were read before.
        new = new[: max(room, len(self.wanted))]
        before = self.taken
        ends = [_End(self, branch) for branch in (*known, *new)]
        for at, part in enumerate(_parts(ends)):
            if self.taken - before > left:
                self.cut = True
                del ends[at * _TOGETHER :]
                break
            yield from together([one.probe_steps() for one in part])
            yield PAUSE
        more = [one for one in ends if one.floor < one.first]
        share = max(0, left - (self.taken - before)) // max(1, len(more))
        for part in _parts(more):
            yield from together([one.widen_steps(share) for one in part])
            yield PAUSE
        self.cut = self.cut or any(one.floor < one.first for one in ends)
        return max(0, left - (self.taken - before))

    def began(self, branch: str, version: int, newest: LogReader, oldest: LogReader) -> None:
        """Note after which version a log was read, who goes on with it, and who has read the oldest turns of it."""
        self._first[branch] = version
        self._readers[branch] = newest
        if oldest.since is not None:
            self._since[branch] = oldest.since
            self._reached[branch] = oldest.since if oldest.reached is None else oldest.reached

    def read_after(self, branch: str) -> int:
        """After which version a log was read; 0 where nothing was read yet."""
        return self._first.get(branch, 0)

    def reader_of(self, branch: str) -> LogReader | None:
        """Who has read a log."""
        return self._readers.get(branch)


class _End:
    """The end of one log: what is behind the place to which it was read before, the newest turns first."""

    def __init__(self, history: RecentHistory, branch: str) -> None:
        self._history = history
        self._branch = branch
        reader = history.reader_of(branch)
        self._goes_on = reader
        self.floor = reader.version if reader is not None else 0
        self._base = history.read_after(branch)
        last = history.records[branch].version
        self.first = max(self.floor, last - _PROBE)
        self._versions = max(1, last - self.first)
        self._read = 0

    def probe_steps(self) -> Steps[None]:
        """Read the newest turns; what was read before is gone on with where nothing lies between."""
        near = self._goes_on if self.first == self.floor else None
        reader = near or LogReader(self._history, self._branch, self.first)
        before = reader.taken
        yield from reader.read_steps()
        self._count(reader.taken - before)
        if self._goes_on is None or near is None:
            self._history.began(self._branch, self.first, reader, reader)

    def widen_steps(self, room: int) -> Steps[None]:
        """Read about `room` records before them."""
        turns = room * self._versions // max(1, self._read)
        if turns <= 0:
            return
        upto, self.first = self.first, max(self.floor, self.first - turns)
        reader = LogReader(self._history, self._branch, self.first, upto)
        yield from reader.read_steps()
        self._count(reader.taken)
        if (newest := self._history.reader_of(self._branch)) is not None:
            first = self._base if self.first == self.floor else self.first
            self._history.began(self._branch, first, newest, reader)

    def _count(self, records: int) -> None:
        self._read += records
        self._history.taken += records


def _parts(ends: list[_End]) -> Iterable[list[_End]]:
    return [ends[first : first + _TOGETHER] for first in range(0, len(ends), _TOGETHER)]
