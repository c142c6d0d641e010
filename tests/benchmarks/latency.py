"""P3: how long an item takes on an idle system, from publishing to the handler, and from request to reply."""

from __future__ import annotations

import statistics
import time

import anyio

from lion_broker import Registry, Session, Worker

from .contest import Contest, Round, Sample
from .drain import share_of
from .rig import Figure, Rig
from .works import STARTS_P50, STARTS_P99

__all__ = ["latency"]

POOL = "latency"
# So long nothing happens between two items.
IDLE = 0.01


def latency(contest: Contest, items: int) -> list[Figure]:
    """One item at a time, from one process to another; medians of the rounds' quantiles."""
    outcomes = contest.run(lambda turn: _published(turn, items), lambda one: one.idles)
    ours = outcomes[0]
    return [
        *[one.figure("P3", STARTS_P50, "p50", "ms") for one in outcomes[1:]],
        *[one.figure("P3", STARTS_P99, "p99", "ms") for one in outcomes[1:]],
        ours.figure("P3", STARTS_P50, "p50", "ms", "at most 1.0", at_most=1.0),
        ours.figure("P3", STARTS_P99, "p99", "ms", "at most 3", at_most=3.0),
        *anyio.run(_requests, contest.rig, items // 4),
    ]


def _published(turn: Round, items: int) -> Sample:
    items = share_of(turn.contender, items)
    with turn.cast("latency", items) as cast:
        if turn.contender.alone:
            return _quantiles(cast.worker.ask("ping", items=items)["seconds"])
        cast.worker.ask("listen")
        seconds = []
        for _ in range(items):
            time.sleep(IDLE)
            published = cast.client.ask("publish")["at"]
            seconds.append((cast.worker.hear()["at"] - published) / 1e9)
    return _quantiles(seconds)


async def _requests(rig: Rig, mails: int) -> list[Figure]:
    """Time requests to a branch on a worker; both ends are in this process, so that they share two cores less."""
    exchange = rig.exchange()
    seconds = []
    async with (
        Session(exchange=exchange, delivery="auto") as session,
        Worker(Registry(), exchange=exchange, pool=POOL) as worker,
    ):
        plain = await session.anew_branch(pool=POOL, imodel="offline/extractive")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(worker.run)
            for _ in range(mails):
                begin = time.perf_counter()
                await plain.communicate("What is a lion?", context=["A lion is a large cat."], clear_messages=True)
                seconds.append(time.perf_counter() - begin)
            worker.stop()
    await exchange.aclose()
    took = _quantiles(seconds)
    return [
        Figure("P3", "request → reply, p50", took["p50"], "ms", "at most 1.0", at_most=1.0),
        Figure("P3", "request → reply, p99", took["p99"], "ms", "at most 3", at_most=3.0),
    ]


def _quantiles(seconds: list[float]) -> Sample:
    """Return median and 99th percentile in milliseconds."""
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return {"p50": cuts[49] * 1000, "p99": cuts[98] * 1000}
