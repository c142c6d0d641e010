"""Deficit round robin between sessions (Shreedhar and Varghese, 1995), for costs that are known only afterwards."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Set
from typing import Final, Generic, TypeVar

__all__ = ["RoundRobin"]

T = TypeVar("T")

_REMEMBERED: Final = 1024
"""Sessions whose account is kept while they have nothing in line."""
_MOST_BEHIND: Final = 16
"""Rounds that a session stays out at most for what it has cost: that may have been while nobody else was there."""


class _Queue(Generic[T]):
    """The items of one session: of those that end something and those that begin something, the first in turn.

    So what was begun is done before all else has begun, and nothing waits for what goes on and on.
    """

    __slots__ = ("_beginning", "_ending", "_ends_next")

    def __init__(self) -> None:
        self._beginning: deque[T] = deque()
        self._ending: deque[T] = deque()
        self._ends_next = True

    def __len__(self) -> int:
        return len(self._beginning) + len(self._ending)

    @property
    def _next(self) -> deque[T]:
        first, other = (self._ending, self._beginning) if self._ends_next else (self._beginning, self._ending)
        return first or other

    @property
    def head(self) -> T:
        return self._next[0]

    def put(self, item: T, ends: bool) -> None:
        (self._ending if ends else self._beginning).append(item)

    def take(self) -> T:
        queue = self._next
        self._ends_next = queue is self._beginning
        return queue.popleft()

    def drop(self, item: T) -> bool:
        for queue in (self._ending, self._beginning):
            if item in queue:
                queue.remove(item)
                return True
        return False


class RoundRobin(Generic[T]):
    """Lines of items, one a session, served in turn: each round lets a session cost `quantum` more.

    A session is served while it has credit, and is charged afterwards. One that comes with credit left goes first, as
    new flows do in RFC 8290: who asks for little hardly waits. The credit of one in line grows in its place in the
    round; to one that is not, the rounds that it has missed give back what it has used, and no more.
    """

    def __init__(self, quantum: float) -> None:
        self._quantum = quantum
        self._queues: OrderedDict[str, _Queue[T]] = OrderedDict()
        self._credit: OrderedDict[str, float] = OrderedDict()
        self._given = 0
        self._known: dict[str, int] = {}
        """For each account, how many shares had been given out when it was looked at last."""

    def __len__(self) -> int:
        return sum(len(queue) for queue in self._queues.values())

    def __bool__(self) -> bool:
        return bool(self._queues)

    @property
    def sessions(self) -> Set[str]:
        """The sessions that have anything in line."""
        return self._queues.keys()

    def others_than(self, session: str) -> bool:
        """Whether another session has anything in line."""
        return len(self._queues) > (session in self._queues)

    def put(self, session: str, item: T, *, ends: bool = False) -> None:
        """Put an item at the end of its session's line; `ends` says that it ends something."""
        queue = self._queues.get(session)
        if queue is None:
            # Asked for while it has no line: then it gets what the rounds that it has missed give back.
            credit = self.credit(session)
            queue = self._queues[session] = _Queue()
            if credit > 0:
                self._queues.move_to_end(session, last=False)
        queue.put(item, ends)

    def head(self) -> T | None:
        """Return the item that `take` would, or None when nothing is in line."""
        session = self._turn()
        return None if session is None else self._queues[session].head

    def take(self) -> tuple[str, T] | None:
        """Return the next item and its session, or None when nothing is in line."""
        session = self._turn()
        return None if session is None else (session, self.take_of(session))

    def take_of(self, session: str) -> T:
        """Return the next item of a session that has one in line, whoever's turn it is."""
        queue = self._queues[session]
        item = queue.take()
        if not queue:
            del self._queues[session]
        return item

    def _turn(self) -> str | None:
        """Go round to the first session that has credit."""
        while self._queues:
            session = next(iter(self._queues))
            if self.credit(session) > 0:
                return session
            self._credit[session] += self._quantum
            self._given += 1
            self._queues.move_to_end(session)
        return None

    def drop(self, session: str, item: T) -> None:
        """Take an item out of its line; one that is not there is ignored."""
        queue = self._queues.get(session)
        if queue is not None and queue.drop(item) and not queue:
            del self._queues[session]

    def forget(self, session: str) -> None:
        """Forget what a session has cost, unless it has anything in line."""
        if session not in self._queues and self._credit.pop(session, None) is not None:
            del self._known[session]

    def charge(self, session: str, cost: float) -> None:
        """Note what an item of a session has cost."""
        left, least = self.credit(session) - cost, -_MOST_BEHIND * self._quantum
        self._credit[session] = max(least, left)

    def credit(self, session: str) -> float:
        """Return what a session may cost before it has to wait for its next turn."""
        credit = self._credit.get(session)
        if credit is None:
            credit = self._credit[session] = self._quantum
            self._known[session] = self._given
            if len(self._credit) > _REMEMBERED + len(self._queues):
                oldest = next(one for one in self._credit if one not in self._queues)
                del self._credit[oldest], self._known[oldest]
        elif session in self._queues:
            self._known[session] = self._given
        # A round gives a share to each that is in line.
        elif missed := (self._given - self._known[session]) // (len(self._queues) + 1):
            self._known[session] = self._given
            credit = self._credit[session] = min(self._quantum, credit + missed * self._quantum)
        self._credit.move_to_end(session)
        return credit
