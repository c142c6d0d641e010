"""Which branch goes next on a worker: seats and the way to the server are dealt out fairly between sessions.

Two things are scarce. Seats: a branch has one from its claim until it is handed back. And the way to the server and
back: a mail of another session waits behind what is on its way, so all that is fits into a window, which is small while
more than one session is at work here. Inside the window turns overlap: the server works on one, we on another.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from typing import Final

import anyio

from lion_broker.mail.records import OVER, ReadyEntry

from .forecast import Forecast, Source
from .passage import Passage
from .round_robin import RoundRobin

__all__ = ["Schedule"]

_TURNS_ON_THEIR_WAY: Final = 3
"""The window in turns: the server is at one, the answer of another is being read, and the third is there already."""
_TURNS_WHERE_SHARED: Final = 2
"""The same while sessions share the worker: a quiet one's mail waits behind all that is on its way."""
_LARGE_BATCH: Final = 200
"""Mails of a turn while one session has the worker for itself, as far as the window goes."""
_SMALL_BATCH: Final = 16
"""Mails that a turn takes at most while sessions share it."""
_SMALLEST_BATCH: Final = 8
"""Where one of them asks for little: what it waits for is the turn that server and worker are at."""
_LITTLE: Final = 2
"""A session whose turns usually have fewer mails asks for little."""
_MOST_WINDOWS: Final = 2
"""How many windows full are on their way at most, with those that need not wait."""
_LONG_SLICE: Final = 0.01
_SHORT_SLICE: Final = 0.001
"""Seconds that a turn may work before its commit."""
_PART: Final = 0.25
_LONGEST_SLICE: Final = 0.2
"""Where mail waits anyway, that part of how long it has waited, and at most so many seconds."""
_SHARED_SECONDS: Final = 10.0
"""For how long a session that was served counts as at work."""
_AHEAD_SECONDS: Final = 0.1
"""For how long a turn that has ended lets a saturated worker read one more ready branch."""
_MOST_AHEAD: Final = 1024


class Schedule:
    """Deals out `concurrency` seats, and the way to the server, between sessions; `start` begins to serve a branch.

    A turn takes at most `batch` mails. `clock` counts seconds.
    """

    def __init__(
        self,
        concurrency: int,
        batch: int,
        start: Callable[[ReadyEntry], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._concurrency = concurrency
        self._batch = batch
        self._start = start
        self._clock = clock
        self._seats: RoundRobin[ReadyEntry] = RoundRobin(1)
        self._ways: RoundRobin[Passage] = RoundRobin(_SMALL_BATCH)
        self._under_way = 0.0
        self._forecast = Forecast(batch)
        self._seen: OrderedDict[str, float] = OrderedDict()
        self._little_asked = -math.inf
        self._turns: deque[float] = deque(maxlen=_MOST_AHEAD)
        self._changed = anyio.Event()
        self._parked = 0
        self._giving_way = 0
        self._beginning = 0
        self._travelling: Counter[str] = Counter()
        self._seated: Counter[str] = Counter()
        self.active = 0
        self.behind = 0
        """How many branches that were read from the overflow wait for a seat."""

    @property
    def room(self) -> int:
        """How many more ready branches may be read.

        For all free seats; but a worker that is at its limits reads no more than one for each turn that has just
        ended, so that the rest is there for other workers, and a session that is new here is still seen soon. What may
        begin at once though all seats are taken it reads one by one. Those of the overflow that wait in line let others
        pass here too.
        """
        left = self._concurrency - self.active
        if not self._saturated:
            return left
        now = self._clock()
        while self._turns and self._turns[0] < now - _AHEAD_SECONDS:
            self._turns.popleft()
        room = len(self._turns) - len(self._seats) + self.behind
        if left > 0:
            return min(room, left)
        return min(room, 1) if self.free else room

    @property
    def free(self) -> int:
        """How many branches that are read now begin at once; more than that, and others wait in line.

        Those that are more than there are seats begin only where their session has less than its share.
        """
        left = self._concurrency - self.active
        if left > 0:
            return left
        # Turns that were in line when one began beside them may be on their way by now, so that there are too many.
        return 0 if self._seats else max(0, min(self._parked, self._concurrency) + left)

    @property
    def busy(self) -> bool:
        """Whether any branch has a seat; one that waits for a seat does so because others have them all."""
        return self.active > 0

    @property
    def in_line(self) -> int:
        """How many branches that are ready were read and wait for a seat."""
        return len(self._seats)

    @property
    def shared(self) -> bool:
        """Whether more than one session is at work here."""
        return len(self._seen) > 1

    @property
    def batch(self) -> int:
        """How many mails a turn may take now."""
        return min(self._batch, self._small_batch) if self.shared else self._batch

    @property
    def slice_seconds(self) -> float:
        """How long a turn may work before its commit."""
        return _SHORT_SLICE if self.shared else _LONG_SLICE

    def may_last(self, waited: float) -> float:
        """How long a turn may work instead that lets others go first, when its mail has waited for so many seconds.

        With handlers that wait themselves a turn would have a single mail, and be most of what that costs. So a turn of
        mail that comes late in any case may come later by a part of that; not where others want the seat or the worker.
        """
        return 0.0 if self.shared else min(_LONGEST_SLICE, _PART * waited)

    def add(self, ready: ReadyEntry) -> None:
        """Take a branch that is ready; it begins as soon as it is its turn."""
        if self._saturated and self._turns:
            self._turns.popleft()
        self._note(ready.session)
        if not self._seats and self.active < self._concurrency:
            self._sit_down(ready)
            return
        self._seats.put(ready.session, ready)
        self.behind += ready.id.startswith(OVER)
        self._fill()

    def begun(self) -> None:
        """Note that a branch that was given a seat has begun there."""
        if self._beginning:
            self._beginning -= 1

    async def give_way(self) -> None:
        """Let branches of other sessions that have come meanwhile begin before a turn works, while there are others.

        When turns get their answers and a read finds a branch at the same time, the branch would stand behind the work
        of all these turns: once until it is read, and once until it begins on its seat. A turn that comes while another
        gives way lets one pass of the event loop more go by, so that the socket is looked at between the two.
        """
        if not self.shared:
            return
        passes = 3 if self._giving_way else 2
        self._giving_way += 1
        try:
            for _ in range(passes):
                await asyncio.sleep(0)
            if self._beginning:
                await asyncio.sleep(0)
        finally:
            self._giving_way -= 1

    def leave(self, session: str) -> None:
        """Note that a branch of a session has given up its seat."""
        self.active -= 1
        self._seated[session] -= 1
        if not self._seated[session]:
            del self._seated[session]
        self._fill()
        self.nudge()

    def crowds(self, session: str) -> bool:
        """Whether a session's branch has to give up its seat: too many are at work, or it has more than its share."""
        if self.active - self._parked > self._concurrency:
            return True
        others_wait = self.active >= self._concurrency and self._seats.others_than(session)
        return others_wait and self._seated[session] > self._share

    async def changed(self) -> None:
        """Wait until there may be more room."""
        self._changed = anyio.Event()
        await self._changed.wait()

    def nudge(self) -> None:
        """Let whoever waits for room look again."""
        self._changed.set()

    def passage(self, session: str, *, commits: int | None = None, asks: int | None = None) -> Passage:
        """Go to the server and back when there is room in the window, to claim a branch, or to commit so many mails.

        It `asks` for so many, or for a batch. Where a turn ends, its seat may go to another. A commit holds the server
        with the mails that it writes as much as with those that it brings.
        """
        self._note(session)
        source = Source.CLAIM if commits is None else Source.COMMIT
        brings = min(self.batch if asks is None else asks, self._forecast.expected(session, source))
        return Passage(self, session, max(1, brings, commits or 0), commits)

    def brought(self, session: str, mails: int) -> bool:
        """Note mails that came without being asked for; returns False where their session has to wait for its turn.

        They are here: however much is on its way, they wait behind none of it.
        """
        if self._ways and self._waits_its_turn(session):
            return False
        self._account(session, mails, Source.MARK)
        return True

    def sets_out(self, passage: Passage) -> bool:
        """Begin a passage if there is room for it now; returns whether it has begun."""
        if self._has_to_wait(passage.session, passage.expected):
            return False
        self._depart(passage)
        return True

    async def set_out_later(self, passage: Passage) -> None:
        """Wait until there is room for a passage; one that is not waited for is taken out of line."""
        session = passage.session
        free = passage.free = anyio.Event()
        self._ways.put(session, passage, ends=passage.ends_turn)
        self._parked += 1
        self._fill()
        try:
            await free.wait()
        except BaseException:
            if free.is_set():
                self.arrive(passage)
            else:
                self._ways.drop(session, passage)
                self._parked -= 1
            raise

    def come_back(self, passage: Passage) -> None:
        """Note what a passage has brought; with a turn that has ended, one more branch may be read."""
        self.arrive(passage)
        self._account(passage.session, passage.mails, Source.COMMIT if passage.ends_turn else Source.CLAIM)
        if passage.ends_turn:
            # A large turn lets as many free seats be filled as small ones would: or who is new here waited behind all
            # ready branches of a backlog, each of them read for a large turn.
            mails = max(passage.mails, passage.commits)
            seats = min(self._concurrency - self.active, mails // _SMALL_BATCH)
            self._turns.extend([self._clock()] * max(1, seats))
        self.nudge()

    def _has_to_wait(self, session: str, expected: float) -> bool:
        if not self._ways:
            return not self._fits(expected)
        # A session that asks for little goes at once: waiting for those before it would take longer than its turn.
        return self._waits_its_turn(session) or self._under_way + expected > _MOST_WINDOWS * self._window

    def _waits_its_turn(self, session: str) -> bool:
        """Whether a session has had its part, while others are in line."""
        return session in self._travelling or self._ways.credit(session) <= 0

    @property
    def _window(self) -> int:
        if self.shared:
            return _TURNS_WHERE_SHARED * self._small_batch
        return _TURNS_ON_THEIR_WAY * _LARGE_BATCH

    @property
    def _small_batch(self) -> int:
        """How many mails a turn takes while sessions share the worker."""
        # Sessions that all have much to do lose nothing by longer turns, which cost less a mail.
        asks_little = self._clock() - self._little_asked < _SHARED_SECONDS
        return _SMALLEST_BATCH if asks_little else _SMALL_BATCH

    @property
    def _saturated(self) -> bool:
        """Whether all seats are taken, or turns wait for the way to the server."""
        return self._parked > 0 or self.active >= self._concurrency

    def _fits(self, expected: float) -> bool:
        return self._under_way == 0 or self._under_way + expected <= self._window

    def _depart(self, passage: Passage) -> None:
        passage.travels = True
        self._under_way += passage.expected
        self._travelling[passage.session] += 1

    def arrive(self, passage: Passage) -> bool:
        """Make room for others, once; returns whether any of them may set out now."""
        if not passage.travels:
            return False
        passage.travels = False
        self._under_way -= passage.expected
        session = passage.session
        travelling = self._travelling[session] - 1
        if travelling:
            self._travelling[session] = travelling
        else:
            del self._travelling[session]
        if self._under_way < 1:
            self._under_way = 0  # halves do not add up exactly
        others = False
        while self._ways and (following := self._ways.head()) is not None and self._fits(following.expected):
            self._ways.take()
            self._parked -= 1
            self._depart(following)
            if following.free is not None:
                following.free.set()
            others = True
        return others

    def _account(self, session: str, mails: int, source: Source) -> None:
        self._ways.charge(session, mails or 1)
        usual = self._forecast.learn(session, mails, source)
        # What a mark brings says nothing of what waits behind it.
        if source is not Source.MARK and usual < _LITTLE:
            self._little_asked = self._clock()

    @property
    def _share(self) -> int:
        """The seats that a session has a right to."""
        return self._concurrency // max(1, len(self._seated.keys() | self._seats.sessions))

    def _fill(self) -> None:
        while (session := self._next_seated()) is not None:
            ready = self._seats.take_of(session)
            self.behind -= ready.id.startswith(OVER)
            self._sit_down(ready)

    def _next_seated(self) -> str | None:
        """The session in line that gets a seat now, if any does."""
        head = self._seats.head()
        if head is None or self.active < self._concurrency:
            return None if head is None else head.session
        # Who waits for the way to the server does nothing meanwhile: a session with few seats need not wait for one,
        # nor for others before it in line that have more than their share.
        if self.active - self._parked >= self._concurrency or self.active >= 2 * self._concurrency:
            return None
        share = self._share
        others = self._seats.sessions if share else ()
        return next((one for one in (head.session, *others) if self._seated[one] < share), None)

    def _sit_down(self, ready: ReadyEntry) -> None:
        self._seats.charge(ready.session, 1)
        self.active += 1
        self._beginning += 1
        self._seated[ready.session] += 1
        self._start(ready)

    def _note(self, session: str) -> None:
        now, seen = self._clock(), self._seen
        seen[session] = now
        if len(seen) == 1:
            return
        seen.move_to_end(session)
        while next(iter(seen.values())) < now - _SHARED_SECONDS:
            gone, _ = seen.popitem(last=False)
            # It may never come again: its account is closed.
            self._forecast.forget(gone)
            self._seats.forget(gone)
            self._ways.forget(gone)
