"""What the exchange knows of a deployment: its workers, its pools, and how much mail each session has. All frozen."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from lion_broker.core.lean import lean

__all__ = [
    "BEHIND_SECONDS",
    "BudgetRecord",
    "BudgetWait",
    "Due",
    "Enrolled",
    "Order",
    "PoolRecord",
    "Roll",
    "Tally",
    "WorkerPhase",
    "WorkerReport",
    "mark_of_pool",
]

BEHIND_SECONDS: Final = 0.01
"""A worker whose event loop is so late, or later, has more to do than it can."""


def mark_of_pool(pool: str) -> str:
    """Return how the reason of a pause begins that was meant for all of a pool, so that it is known again."""
    return f"pool {pool}: "


class WorkerPhase(StrEnum):
    """What a worker says of itself in its heartbeat."""

    RUNNING = "running"
    DRAINING = "draining"
    STOPPED = "stopped"


class Order(StrEnum):
    """What a worker is told in the answer to its heartbeat."""

    NONE = ""
    DRAIN = "drain"  # take no new branches, end the turns, hand over, exit


@lean(frozen=True, slots=True)
class WorkerReport:
    """How a worker says it is; one heartbeat.

    `started` is by the worker's own clock, in seconds since the epoch; `beat_ms` is after how long it reports again.
    `concurrency` is how many branches it serves side by side, `active` how many it serves now; `turns`, `mails` and
    `rescued` (branches of dead workers given to others) count since it started. `late_ms` is how late its event loop
    is, and `behaviours` what it can do with mail; None from a worker of a version that did not say so, and where
    there are more than it says.
    """

    owner: str
    pool: str
    state: WorkerPhase
    host: str
    pid: int
    version: str
    protocol: int
    started: float
    beat_ms: int
    concurrency: int
    active: int = 0
    turns: int = 0
    mails: int = 0
    rescued: int = 0
    late_ms: int | None = None
    behaviours: tuple[str, ...] | None = None


@lean(frozen=True, slots=True)
class Enrolled:
    """A worker in the register: its last report, when it was heard (ms since the epoch), and what it is told to do."""

    report: WorkerReport
    heard: int
    order: Order = Order.NONE


@lean(frozen=True, slots=True)
class Roll:
    """The register of workers, and `now`, the exchange's time in ms."""

    now: int
    workers: tuple[Enrolled, ...] = ()


@lean(frozen=True, slots=True)
class PoolRecord:
    """A pool: branches that wait for a worker, branches that a worker has taken, and the ms the oldest has waited.

    `wanted` is how many workers it is to have; None when nobody has said so. `paused` of its branches take no turns;
    `pause` is why all of it is paused, also what is made for it later, if it is.
    """

    pool: str
    ready: int = 0
    claimed: int = 0
    oldest_ms: int = 0
    wanted: int | None = None
    paused: int = 0
    pause: str = ""


@lean(frozen=True, slots=True)
class Tally:
    """How many open branches a session has, and its counters as in `SessionRecord`."""

    session: str
    branches: int = 0
    posted: int = 0
    applied: int = 0
    redelivered: int = 0
    dead: int = 0
    inflight: int = 0
    delayed: int = 0


@lean(frozen=True, slots=True)
class Due:
    """What waits for a moment: branches with something due later, and among them mails that are to be tried again."""

    branches: int = 0
    retrying: int = 0


@lean(frozen=True, slots=True)
class BudgetWait:
    """Somebody who was refused by a budget: with how many calls it waits, and in how many ms it will ask again."""

    who: str
    calls: int
    wait_ms: int


@lean(frozen=True, slots=True)
class BudgetRecord:
    """A budget as it stands now; a limit that is None is none, and then nothing is said of what is left.

    `title` is what people call it. Of `limit_requests` and `limit_tokens` for each `interval_ms`, `requests` and
    `tokens` are left, below 0 where more was used than was reserved. It was used `idle_ms` ago; `waits` says for whom
    there was not enough, who asks again soonest first.
    """

    budget: str
    title: str
    limit_requests: int | None
    limit_tokens: int | None
    interval_ms: int
    requests: float | None
    tokens: float | None
    idle_ms: int = 0
    waits: tuple[BudgetWait, ...] = ()
