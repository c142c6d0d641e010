"""What an operator asks: which workers there are, which pools, how much mail; and what workers are to do."""

from __future__ import annotations

from lion_broker.core.lean import lean
from lion_broker.mail.deployment import BudgetRecord, Due, Order, PoolRecord, Roll, Tally, WorkerReport
from lion_broker.mail.outcome import Outcome

from .verb import Verb

__all__ = [
    "CountMail",
    "Enrol",
    "OrderWorkers",
    "PausePool",
    "ReadBudgets",
    "ReadDue",
    "ReadPools",
    "ReadWorkers",
    "ResumePool",
    "SetWanted",
    "Tidy",
]


@lean(frozen=True, slots=True)
class Enrol(Verb[Order]):
    """Put a worker's report into the register, in place of its last one; answers what this worker is told to do.

    The entry leaves by itself when the worker has not reported for `keep_ms`. At most about a thousand entries are
    kept: then those that would leave first go.
    """

    report: WorkerReport
    keep_ms: int = 600_000


@lean(frozen=True, slots=True)
class ReadWorkers(Verb[Roll]):
    """Read the register of workers: up to `count`, those that would leave last first."""

    count: int = 1000


@lean(frozen=True, slots=True)
class OrderWorkers(Verb[tuple[Outcome, ...]]):
    """Tell workers what to do; each learns it with its next heartbeat. OK or UNKNOWN for each, in order.

    An order cannot be taken back once its worker has had it.
    """

    owners: tuple[str, ...]
    order: Order = Order.DRAIN


@lean(frozen=True, slots=True)
class ReadPools(Verb[tuple[PoolRecord, ...]]):
    """Read the pools with branches that have work or are paused, that are paused, or that workers are wanted for.

    Up to `count`, by name.
    """

    count: int = 1000


@lean(frozen=True, slots=True)
class PausePool(Verb[Outcome]):
    """Have branches that are made for a pool from now on begin paused, for a reason. OK, ALREADY.

    Those that are there already stay as they are. A pool that is paused keeps the reason that it has.
    """

    pool: str
    reason: str


@lean(frozen=True, slots=True)
class ResumePool(Verb[Outcome]):
    """Have branches that are made for a pool from now on take turns again. OK, ALREADY.

    Those that are paused stay so.
    """

    pool: str


@lean(frozen=True, slots=True)
class SetWanted(Verb[None]):
    """Say how many workers a pool is to have, for whoever starts them; None takes it back."""

    pool: str
    wanted: int | None


@lean(frozen=True, slots=True)
class Tidy(Verb[None]):
    """Forget up to `limit` readers of a pool that hold nothing and have not read for `idle_ms`.

    Up to `limit` other pools are looked at, too. A pool without readers, ready branches and a number of workers that is
    wanted is forgotten, until a branch of it has mail, or a worker comes.
    """

    pool: str
    idle_ms: int = 3_600_000
    limit: int = 100


@lean(frozen=True, slots=True)
class CountMail(Verb[tuple[Tally, ...]]):
    """Read the counters of up to `count` sessions of each partition, in order of creation, from place `start` on.

    There are no more when none are answered.
    """

    start: int = 0
    count: int = 500


@lean(frozen=True, slots=True)
class ReadDue(Verb[Due]):
    """Read how much waits for a moment; mails that are to be tried again are counted on up to `limit` branches."""

    limit: int = 1000


@lean(frozen=True, slots=True)
class ReadBudgets(Verb[tuple[BudgetRecord, ...]]):
    """Read the budgets that were used in the last day (see `Reserve`), up to `count`, those used last first.

    At most a thousand are known, and at most two hundred that wait for one of them.
    """

    count: int = 1000
