"""P10: two worker processes instead of one, and many handlers that wait at the same time."""

from __future__ import annotations

import statistics
import time
from contextlib import AbstractContextManager, ExitStack

import anyio

from lion_broker import Branch, Mail, Registry, Session
from lion_broker.mail.records import START, BranchRecord
from lion_broker.mail.verbs import ReadBranches
from lion_broker.testing import WorkerProcess, running_worker, wait_until

from .rig import Figure, Rig, WrongResult

__all__ = ["registry", "scaling"]

BUSY_SECONDS = 0.001
WAIT_SECONDS = 0.05
CONCURRENCY = 200

registry = Registry()


@registry.behaviour("compute", record=False)
async def compute(branch: Branch, mail: Mail) -> None:
    """Use a millisecond of CPU."""
    until = time.thread_time() + BUSY_SECONDS
    while time.thread_time() < until:
        pass


@registry.behaviour("wait", record=False)
async def wait(branch: Branch, mail: Mail) -> None:
    """Wait, as for a model."""
    await anyio.sleep(WAIT_SECONDS)


def scaling(rig: Rig, mails: int, rounds: int) -> list[Figure]:
    """Mails over seconds from the first one that is sent to the last one that is done; the workers are up before."""
    ones, twos, lates, waits, longs = [], [], [], [], []
    for _ in range(rounds):
        ones.append(_rate(rig, "compute", workers=1, branches=100, mails=mails))
        twos.append(_rate(rig, "compute", workers=2, branches=100, mails=mails))
        lates.append(_joined_rate(rig, mails=2 * mails))
        waits.append(_rate(rig, "wait", workers=1, branches=CONCURRENCY, mails=CONCURRENCY * mails // 100))
        longs.append(_rate(rig, "wait", workers=1, branches=CONCURRENCY, mails=CONCURRENCY * mails // 20))
    one, two, late, waiting, long = (statistics.median(rates) for rates in (ones, twos, lates, waits, longs))
    ideal = CONCURRENCY / WAIT_SECONDS
    return [
        Figure("P10", "handler of 1 ms CPU, one worker", one, "mails/s", samples=tuple(ones)),
        Figure("P10", "handler of 1 ms CPU, two workers", two, "mails/s", samples=tuple(twos)),
        Figure("P10", "two workers / one", two / one, "ratio", "at least 1.8", at_least=1.8),
        Figure("P10", "a second worker, begun when one has all branches", late, "mails/s", samples=tuple(lates)),
        Figure("P10", "these two / one", late / one, "ratio"),
        Figure("P10", "handler of 50 ms await, 200 at once", waiting, "mails/s", samples=tuple(waits)),
        Figure("P10", f"the same / ideal {ideal:,.0f}", waiting / ideal, "ratio", "at least 0.95", at_least=0.95),
        Figure("P10", "five times as many such mails", long, "mails/s", samples=tuple(longs)),
        Figure("P10", f"these / ideal {ideal:,.0f}", long / ideal, "ratio"),
    ]


def _rate(rig: Rig, behaviour: str, *, workers: int, branches: int, mails: int) -> float:
    pool = f"scaling-{time.monotonic_ns()}"
    with Session(exchange=rig.exchange(), delivery="auto") as session:
        recipients = [session.new_branch(pool=pool, behaviour=behaviour) for _ in range(branches)]
        with ExitStack() as stack:
            for _ in range(workers):
                stack.enter_context(_worker(rig, pool))
            begun = time.perf_counter()
            with session.batch():
                for number in range(mails):
                    session.default_branch.send(recipients[number % branches], "message", "go")
            session.wait_idle(timeout=120)
            seconds = time.perf_counter() - begun
        handled = session.counters()["applied"]
        session.delete()
    if handled != mails:
        raise WrongResult(f"P10: {handled} of {mails} mails were handled.")
    return mails / seconds


def _joined_rate(rig: Rig, *, mails: int, branches: int = 100) -> float:
    """Mails over seconds from when a second worker is up, beside one that has had each branch already."""
    pool = f"scaling-{time.monotonic_ns()}"
    with Session(exchange=rig.exchange(), delivery="auto") as session:
        recipients = [session.new_branch(pool=pool, behaviour="compute") for _ in range(branches)]
        with session.batch():
            for number in range(mails):
                session.default_branch.send(recipients[number % branches], "message", "go")
        with _worker(rig, pool):
            wait_until(lambda: all(one.cursor != START for one in _standing(session)))
            with _worker(rig, pool):
                begun, left = time.perf_counter(), mails - session.counters()["applied"]
                session.wait_idle(timeout=120)
                seconds = time.perf_counter() - begun
        session.delete()
    return left / seconds


def _standing(session: Session) -> list[BranchRecord]:
    return [one for one in session.exchange.call(ReadBranches(session.id)) if one.seed.pool]


def _worker(rig: Rig, pool: str) -> AbstractContextManager[WorkerProcess]:
    options = ("--concurrency", str(CONCURRENCY))
    return running_worker("tests.benchmarks.scaling:registry", pool, options=options, environ=rig.environment())
