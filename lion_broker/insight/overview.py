"""A deployment at one look: workers, pools, how much mail there is, and from two looks how fast it moves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from lion_broker.mail.deployment import Enrolled, PoolRecord, Roll, Tally, WorkerPhase, mark_of_pool
from lion_broker.mail.exchange import Steps, ask
from lion_broker.mail.verbs import CountMail, ReadDue, ReadPools, ReadWorkers

from .views import PoolView, WorkerView

__all__ = [
    "LOST",
    "Overview",
    "Rates",
    "overview_steps",
    "pool_views",
    "pools_steps",
    "rates",
    "worker_views",
    "workers_steps",
]

LOST: Final = "lost"
"""The state of a worker whose heartbeat is overdue."""
_MISSED: Final = 4
"""Heartbeats that may be missed before a worker counts as lost: then its leases are over, too."""
_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Overview:
    """A deployment at a moment `at` (seconds since the epoch, by the server's clock).

    The numbers of mails are sums over `tallies`, one for each session: `posted`, `applied`, `redelivered` since the
    sessions began, `dead`, `inflight` and `delayed` now; `more` says that there are further sessions. `retrying` of
    those in flight wait to be tried again; `waiting` branches wait for a worker, the oldest for `oldest_seconds`.

    `inboxes` has the mails that wait until a program receives them, by session, where `unreceived_steps` has looked;
    of `unseen` sessions that may have some it has not.
    """

    at: float
    workers: tuple[WorkerView, ...]
    pools: tuple[PoolView, ...]
    tallies: tuple[Tally, ...] = field(repr=False)
    retrying: int = 0
    more: bool = False
    inboxes: Mapping[str, int] = field(default_factory=dict, repr=False)
    unseen: int = 0

    @property
    def sessions(self) -> int:
        """How many sessions there are."""
        return len(self.tallies)

    @property
    def branches(self) -> int:
        """How many branches are open."""
        return self._sum("branches")

    @property
    def posted(self) -> int:
        """Mails that have reached a mailbox or inbox."""
        return self._sum("posted")

    @property
    def applied(self) -> int:
        """Mails that have taken effect."""
        return self._sum("applied")

    @property
    def redelivered(self) -> int:
        """Mails that were handed out again."""
        return self._sum("redelivered")

    @property
    def dead(self) -> int:
        """Dead letters that are there."""
        return self._sum("dead")

    @property
    def inflight(self) -> int:
        """Mails in mailboxes that have not taken effect, with those that are to be tried again."""
        return self._sum("inflight")

    @property
    def delayed(self) -> int:
        """Mails that are to be delivered later."""
        return self._sum("delayed")

    @property
    def unreceived(self) -> int:
        """Mails that were delivered and wait until a program receives them; no worker takes them."""
        return sum(self.inboxes.values())

    @property
    def waiting(self) -> int:
        """Branches that have work and no worker."""
        return sum(pool.ready for pool in self.pools)

    @property
    def paused(self) -> int:
        """Branches on workers that take no turns until somebody resumes them."""
        return sum(pool.paused for pool in self.pools)

    @property
    def oldest_seconds(self) -> float:
        """How long the branch that has waited longest has waited for a worker."""
        return max((pool.oldest_seconds for pool in self.pools), default=0.0)

    def busiest(self, count: int) -> list[Tally]:
        """The sessions with most mail in flight, delayed, or not received yet, at most `count`; without any, none."""
        amounts = {
            one.session: (-one.inflight, -one.delayed, -self.inboxes.get(one.session, 0)) for one in self.tallies
        }
        busy = [tally for tally in self.tallies if any(amounts[tally.session])]
        return sorted(busy, key=lambda tally: (amounts[tally.session], tally.session))[:count]

    def _sum(self, name: str) -> int:
        return sum(getattr(tally, name) for tally in self.tallies)


@dataclass(frozen=True, slots=True)
class Rates:
    """How fast mail moved between two looks that are `seconds` apart; per second, never negative."""

    seconds: float
    posted: float
    applied: float
    redelivered: float
    dead: float


def overview_steps(limit: int = 10_000) -> Steps[Overview]:
    """Look at a whole deployment; of more than `limit` sessions at the oldest only.

    Costs one call for the register, the pools, what is due, and each 500 sessions of a partition: a server is held for
    about two microseconds a session, and never for longer than a page takes.
    """
    roll, pools, due = yield (ReadWorkers(), ReadPools(), ReadDue())
    tallies: list[Tally] = []
    place = 0
    while len(tallies) <= limit:
        page = yield from ask(CountMail(place, min(_PAGE, limit + 1)))
        if not page:
            break
        tallies += page
        place += min(_PAGE, limit + 1)
    workers = worker_views(roll)
    shown, more = tuple(tallies[:limit]), len(tallies) > limit
    return Overview(roll.now / 1000, workers, pool_views(pools, workers), shown, due.retrying, more)


def workers_steps() -> Steps[tuple[WorkerView, ...]]:
    """Look at the register alone; one call."""
    roll = yield from ask(ReadWorkers())
    return worker_views(roll)


def pools_steps() -> Steps[tuple[PoolView, ...]]:
    """Look at the pools alone; one call."""
    roll, pools = yield (ReadWorkers(), ReadPools())
    return pool_views(pools, worker_views(roll))


def worker_views(roll: Roll) -> tuple[WorkerView, ...]:
    """Return the workers of a register by pool, those that run first and the lost last."""
    order = (WorkerPhase.RUNNING, WorkerPhase.DRAINING, WorkerPhase.STOPPED, LOST)
    pictures = (_worker(enrolled, roll.now) for enrolled in roll.workers)
    return tuple(sorted(pictures, key=lambda one: (one.pool, order.index(one.state), one.started, one.owner)))


def pool_views(records: tuple[PoolRecord, ...], workers: tuple[WorkerView, ...]) -> tuple[PoolView, ...]:
    """Return the pools that have work, workers, or wish for some, by name."""
    known = {record.pool: record for record in records}
    serving: dict[str, list[WorkerView]] = {name: [] for name in known}
    for worker in workers:
        if worker.state == WorkerPhase.RUNNING:
            serving.setdefault(worker.pool, []).append(worker)
    return tuple(_pool(known.get(name, PoolRecord(name)), serving[name]) for name in sorted(serving))


def rates(before: Overview, after: Overview) -> Rates | None:
    """Return how fast mail moved between two looks; None when no time has passed between them.

    A session that was there the second time only counts with all it has, one that is gone with nothing.
    """
    seconds = after.at - before.at
    if seconds <= 0:
        return None
    known = {tally.session: tally for tally in before.tallies}

    def speed(name: str) -> float:
        grown = 0
        for tally in after.tallies:
            old = known.get(tally.session)
            grown += max(0, getattr(tally, name) - (getattr(old, name) if old else 0))
        return grown / seconds

    return Rates(seconds, speed("posted"), speed("applied"), speed("redelivered"), speed("dead"))


def _pool(record: PoolRecord, workers: list[WorkerView]) -> PoolView:
    return PoolView(
        pool=record.pool,
        ready=record.ready,
        claimed=record.claimed,
        oldest_seconds=record.oldest_ms / 1000,
        workers=len(workers),
        capacity=sum(worker.concurrency for worker in workers),
        wanted=record.wanted,
        paused=record.paused,
        pause=record.pause.removeprefix(mark_of_pool(record.pool)),
    )


def _worker(enrolled: Enrolled, now: int) -> WorkerView:
    report = enrolled.report
    silent = now - enrolled.heard > _MISSED * report.beat_ms
    gone = silent or report.state == WorkerPhase.STOPPED
    return WorkerView(
        owner=report.owner,
        pool=report.pool,
        state=LOST if silent and report.state != WorkerPhase.STOPPED else str(report.state),
        host=report.host,
        pid=report.pid,
        version=report.version,
        started=report.started,
        heard=enrolled.heard / 1000,
        concurrency=report.concurrency,
        active=0 if report.state == WorkerPhase.STOPPED else report.active,
        turns=report.turns,
        mails=report.mails,
        rescued=report.rescued,
        late_seconds=None if gone or report.late_ms is None else report.late_ms / 1000,
        behaviours=report.behaviours,
    )
