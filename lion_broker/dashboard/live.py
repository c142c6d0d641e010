"""What is going on, for any number of watchers: one blocking read a session, shared by all who watch it.

A watcher holds nothing but its place. It takes what follows from the newest occurrences, which all share; one that has
fallen behind them reads from the exchange again, at its own pace, so a slow one costs nobody anything.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

from lion_broker.errors import LionError
from lion_broker.mail.exchange import Exchange
from lion_broker.mail.records import START, Occurrence, is_after
from lion_broker.mail.verbs import ReadEvents
from lion_broker.telemetry import logger

__all__ = ["Busy", "Lives", "News", "Signal"]

log = logger("dashboard")

HEARTBEAT_SECONDS: Final = 15.0
_SHARED: Final = 1000
_PAGE: Final = 200
_WAIT_MS: Final = 5000
_PAUSE_SECONDS: Final = 1.0


class Busy(Exception):
    """As many watch already as are served."""


class Signal:
    """Wakes all who wait for the next of something; whoever comes later waits for the one after."""

    def __init__(self) -> None:
        self._next = asyncio.Event()

    @property
    def next(self) -> asyncio.Event:
        """What will be set when it happens the next time."""
        return self._next

    def give(self) -> None:
        """Let it have happened."""
        self._next.set()
        self._next = asyncio.Event()


async def happened(event: asyncio.Event, seconds: float) -> bool:
    """Wait for an event for so long at most; returns whether it has happened."""
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
    return event.is_set()


@dataclass(frozen=True, slots=True)
class News:
    """What a watcher is told: occurrences, or `lost`, that no server answers.

    With neither it only says that the connection lives.
    """

    occurrences: tuple[Occurrence, ...] = ()
    lost: bool = False


class Lives:
    """The sessions that are being watched: at most `most_sessions`, by at most `most` watchers."""

    def __init__(self, exchange: Exchange, most: int = 200, most_sessions: int = 50) -> None:
        self._exchange = exchange
        self._most = most
        self._most_sessions = most_sessions
        self._watched: dict[str, _Watched] = {}
        self.watchers = 0
        self.ended = False

    def end(self) -> None:
        """Have every stream finish, and no more begin. May be called twice."""
        self.ended = True
        for watched in self._watched.values():
            watched.changed.give()

    @property
    def full(self) -> bool:
        """Whether no more watchers are served."""
        return self.ended or self.watchers >= self._most

    @contextmanager
    def seat(self) -> Iterator[None]:
        """Count a watcher for the length of the block; raises Busy."""
        if self.full:
            raise Busy
        self.watchers += 1
        try:
            yield
        finally:
            self.watchers -= 1

    async def follow(self, session: str, after: str) -> AsyncGenerator[News]:
        """Yield what happens in a session after an occurrence, for ever; `$` is the newest one.

        Raises Busy, and BrokerUnavailable when nobody is there to say where to begin.
        """
        watched = self._watched.get(session)
        if watched is None:
            if len(self._watched) >= self._most_sessions:
                raise Busy
            watched = self._watched[session] = _Watched(self._exchange, session)
        watched.watchers += 1
        try:
            await watched.begun()
            async for news in self._tell(watched, after):
                yield news
        finally:
            watched.watchers -= 1
            if not watched.watchers and self._watched.get(session) is watched:
                del self._watched[session]
                watched.stop()

    async def _tell(self, watched: _Watched, after: str) -> AsyncGenerator[News]:
        place = watched.tip if after == "$" else after
        lost = False
        while not self.ended:
            changed = watched.changed.next
            if found := await watched.after(place):
                place = found[-1].id
                yield News(found)
            elif watched.lost is not lost:
                lost = watched.lost
                yield News(lost=lost)
            elif not await happened(changed, HEARTBEAT_SECONDS):
                yield News(lost=lost)


class _Watched:
    """A session that is watched: its newest occurrences, and the task that waits for the next."""

    def __init__(self, exchange: Exchange, session: str) -> None:
        self._exchange = exchange
        self._session = session
        self._newest: deque[Occurrence] = deque(maxlen=_SHARED)
        self._since = START
        self._reader: asyncio.Task[None] | None = None
        self._beginning = asyncio.Lock()
        self.tip = START
        self.watchers = 0
        self.lost = False
        self.changed = Signal()

    async def begun(self) -> None:
        """Return once the reading goes on; it begins with the first watcher."""
        async with self._beginning:
            if self._reader is None:
                (tip,) = await self._exchange.acall(ReadEvents(self._session, "$"))
                self.tip = self._since = tip.id
                self._reader = asyncio.create_task(self._read(), name=f"watch {self._session}")

    def stop(self) -> None:
        """Read no more."""
        if self._reader is not None:
            self._reader.cancel()

    async def after(self, place: str) -> tuple[Occurrence, ...]:
        """What follows a place, as far as it is there."""
        if not is_after(self._since, place):
            return tuple(one for one in self._newest if is_after(one.id, place))
        try:
            return await self._exchange.acall(ReadEvents(self._session, place, _PAGE))
        except LionError:
            return ()

    async def _read(self) -> None:
        while True:
            try:
                found = await self._exchange.acall(ReadEvents(self._session, self.tip, _PAGE, _WAIT_MS))
            except LionError as error:
                if not self.lost:
                    log.warning("session %s: not watched for now: %s", self._session, error)
                self._say(lost=True)
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            for one in found:
                if len(self._newest) == _SHARED:
                    self._since = self._newest[0].id
                self._newest.append(one)
                self.tip = one.id
            if found or self.lost:
                self._say(lost=False)

    def _say(self, *, lost: bool) -> None:
        self.lost = lost
        self.changed.give()
