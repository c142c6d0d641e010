"""The register of workers, the pools, and how much mail there is."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from lion_broker.mail import verbs as v
from lion_broker.mail.deployment import Due, Enrolled, Order, PoolRecord, Roll, Tally
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import OVER, place_of

from .store import Branch, Pool, Store

__all__ = [
    "count_mail",
    "enrol",
    "order_workers",
    "pause_pool",
    "read_due",
    "read_pools",
    "read_workers",
    "resume_pool",
    "set_wanted",
    "tidy",
]

_MOST = 1000


def enrol(store: Store, verb: v.Enrol) -> Order:
    """The newest report, beside the order that was there; who has not been heard of for long is forgotten."""
    now, owner = store.now(), verb.report.owner
    _, before = store.workers.pop(owner, (0, None))
    order = before.order if before else Order.NONE
    store.workers[owner] = (now + verb.keep_ms, Enrolled(verb.report, now, order))
    lasting = sorted(store.workers.items(), key=lambda item: item[1][0])[-_MOST:]
    store.workers = {name: entry for name, entry in lasting if entry[0] > now}
    return order


def read_workers(store: Store, verb: v.ReadWorkers) -> Roll:
    """Those that are not forgotten, the ones that would leave last first."""
    now = store.now()
    lasting = sorted((entry for entry in store.workers.values() if entry[0] > now), key=lambda entry: -entry[0])
    return Roll(now, tuple(worker for _, worker in lasting[: verb.count]))


def order_workers(store: Store, verb: v.OrderWorkers) -> tuple[Outcome, ...]:
    """Kept beside each worker's report until its next heartbeat asks for it."""
    answers = []
    for owner in verb.owners:
        known = store.workers.get(owner)
        if known:
            store.workers[owner] = (known[0], replace(known[1], order=verb.order))
        answers.append(Outcome.OK if known else Outcome.UNKNOWN)
    return tuple(answers)


def read_pools(store: Store, verb: v.ReadPools) -> tuple[PoolRecord, ...]:
    """What is unread waits, what is read somebody holds."""
    now = store.now()
    found = []
    branches = (branch for session in store.sessions.values() for branch in session.branches.values())
    paused = Counter(branch.seed.pool for branch in branches if branch.paused and branch.seed.pool)
    for name in sorted({*store.pools, *paused}):
        pool = store.pools.get(name, Pool())
        since = [place_of(ready.id.removeprefix(OVER))[0] for ready in pool.waiting]
        if not (since or pool.read or paused[name] or pool.pause) and pool.wanted is None:
            continue
        oldest = max(0, now - min(since)) if since else 0
        found.append(PoolRecord(name, len(since), len(pool.read), oldest, pool.wanted, paused[name], pool.pause))
    return tuple(found[: verb.count])


def set_wanted(store: Store, verb: v.SetWanted) -> None:
    """Kept with the pool."""
    store.pools.setdefault(verb.pool, Pool()).wanted = verb.wanted


def pause_pool(store: Store, verb: v.PausePool) -> Outcome:
    """Kept with the pool; the first reason stays."""
    pool = store.pools.setdefault(verb.pool, Pool())
    before, pool.pause = pool.pause, pool.pause or verb.reason
    return Outcome.ALREADY if before else Outcome.OK


def resume_pool(store: Store, verb: v.ResumePool) -> Outcome:
    """Nothing is kept of it."""
    pool = store.pools.get(verb.pool, Pool())
    before, pool.pause = pool.pause, ""
    return Outcome.OK if before else Outcome.ALREADY


def tidy(store: Store, verb: v.Tidy) -> None:
    """In process a reader is known by what it holds, and by nothing else."""
    for name, pool in list(store.pools.items()):
        if not any(pool.waiting) and not pool.read and pool.wanted is None and not pool.pause:
            del store.pools[name]


def count_mail(store: Store, verb: v.CountMail) -> tuple[Tally, ...]:
    """A page of the sessions' counters."""
    names = ("posted", "applied", "redelivered", "dead", "inflight", "delayed")
    page = list(store.sessions.values())[verb.start : verb.start + verb.count]
    return tuple(Tally(one.id, len(one.roster), *(one.counters[name] for name in names)) for one in page)


def read_due(store: Store, verb: v.ReadDue) -> Due:
    """Branches with delayed mail or lanes."""
    now = store.now()
    waiting = [one for session in store.sessions.values() for one in session.branches.values()]
    due = [branch for branch in waiting if branch.open and (branch.delayed or _waits(branch, now))]
    return Due(len(due), sum(branch.deferred for branch in due[: verb.limit]))


def _waits(branch: Branch, now: int) -> bool:
    return any(lane.due > now for lane in branch.lanes.values())
