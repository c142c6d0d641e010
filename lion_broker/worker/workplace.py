"""What the seats of a worker share."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lion_broker.branch.directory import Directory
from lion_broker.branch.host import Host
from lion_broker.branch.registry import Registry
from lion_broker.branch.session_context import SessionContext
from lion_broker.broker.leases import LeaseKeeper
from lion_broker.core.ids import IDType
from lion_broker.errors import LionError
from lion_broker.mail.exchange import Exchange
from lion_broker.mail.records import ReadyEntry
from lion_broker.mail.verbs import ReadBranches, ReadCancelled, Station, Verb
from lion_broker.telemetry import logger

from .load import Load
from .loading import Foresight, reads
from .prefetch import Prefetch
from .schedule import Schedule
from .server_time import ServerTime
from .warm import BRANCHES, WarmBranches

if TYPE_CHECKING:
    from .seat import Seat

__all__ = ["Workplace"]

log = logger("worker")


@dataclass(slots=True)
class Workplace:
    """What the seats of a worker share."""

    exchange: Exchange
    registry: Registry
    keeper: LeaseKeeper
    pool: str
    owner: str
    lease_ms: int
    schedule: Schedule
    time: ServerTime = field(default_factory=ServerTime)
    load: Load = field(default_factory=Load)
    stopping: bool = False
    turns: int = 0
    mails: int = 0
    until_idle: bool = False
    retrying: set[tuple[str, str]] = field(default_factory=set)
    """Branches that had mail to try again when this worker saw them last; only kept by one that ends when idle."""
    seats: dict[Station, Seat] = field(default_factory=dict)
    """The branches at work here, by their leases."""
    _contexts: OrderedDict[str, SessionContext] = field(default_factory=OrderedDict)
    _warm: WarmBranches = field(default_factory=WarmBranches)
    foresight: Foresight = field(default_factory=Foresight)
    prefetch: Prefetch = field(default_factory=Prefetch)

    def context(self, session: str) -> SessionContext:
        """What the branches of a session share here."""
        context = self._contexts.pop(session, None) or SessionContext(
            exchange=self.exchange,
            session=IDType(session),
            directory=Directory(session),
            registry=self.registry,
            owner=self.owner,
            lease_ms=self.lease_ms,
        )
        self._contexts[session] = context
        if len(self._contexts) > BRANCHES:
            self._contexts.popitem(last=False)
        return context

    async def stop_cancelled(self, station: Station) -> None:
        """Stop the commands of a branch that nobody waits for any more."""
        running = self.context(station.session).running
        try:
            cancelled = await self.exchange.acall(ReadCancelled(station.session, station.branch))
        except LionError as error:
            log.warning("cancelled commands could not be read: %s", error)
            return
        for command in cancelled:
            if command in running:
                running[command].cancel()

    def drop(self, station: Station) -> None:
        """Stop what is done under a lease that is no more."""
        if station in self.seats:
            self.seats[station].drop()

    def at(self, station: Station) -> str:
        """The mail that a branch is at, by its id, or nothing; may be asked for in any thread."""
        seat = self.seats.get(station)
        return seat.at if seat is not None else ""

    @property
    def slice_seconds(self) -> float:
        """How long a turn begins one mail after the other."""
        return self.schedule.slice_seconds

    def may_last(self, waited: float) -> float:
        """How long it goes on after that, letting others go first; not when the worker is to end."""
        return 0.0 if self.stopping else self.schedule.may_last(waited)

    async def retries(self) -> bool:
        """Whether mail that failed here still waits to be tried again, on branches that take turns."""
        for session, branch in sorted(self.retrying):
            found = await self.exchange.acall(ReadBranches(session, (branch,)))
            if not any(one.deferred and not one.paused for one in found):
                self.retrying.discard((session, branch))
        return bool(self.retrying)

    def claims(self, session: str) -> int:
        """How many mails a claim for a branch of a session asks for."""
        return self.prefetch.of_claim(session, self.schedule.batch, needed=session in self.foresight)

    def reads_ahead(self, ready: ReadyEntry) -> tuple[Verb[Any], ...]:
        """What is read with a claim: the branch, where it is not here, and is likely to be needed."""
        if ready.session not in self.foresight or ready.branch in self._warm:
            return ()
        return reads(ready.session, ready.branch)

    def take_warm(self, branch: str, version: int) -> Host | None:
        """Return the branch as this worker left it, if nobody has changed it since."""
        host = self._warm.take(branch)
        if host is None or (host.version == version and not host.dirty):
            return host
        host.retire()
        return None

    def keep_warm(self, host: Host) -> None:
        """Keep a branch for its next turn; those used longest ago make room."""
        self._warm.keep(host)
