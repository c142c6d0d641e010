"""P3: how long a mail takes on an idle system, from `send` to the behaviour, and from request to reply."""

from __future__ import annotations

import statistics
import time

import anyio

from lion_broker import Branch, Mail, Registry, Session, Worker

from .rig import Figure, Rig

POOL = "latency"


def latency(rig: Rig, mails: int) -> list[Figure]:
    """One mail at a time; the worker runs in the same process, so that both ends read one clock."""
    return anyio.run(_latency, rig, mails)


async def _latency(rig: Rig, mails: int) -> list[Figure]:
    exchange = rig.exchange()
    started: list[float] = []
    arrived = anyio.Event()
    registry = Registry()

    @registry.behaviour("stamp", record=False)
    async def stamp(branch: Branch, mail: Mail) -> None:
        nonlocal arrived
        started.append(time.perf_counter())
        arrived.set()

    sends, requests = [], []
    async with (
        Session(exchange=exchange, delivery="auto") as session,
        Worker(registry, exchange=exchange, pool=POOL) as worker,
    ):
        target = await session.anew_branch(pool=POOL, behaviour="stamp")
        plain = await session.anew_branch(pool=POOL, imodel="offline/extractive")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(worker.run)
            for _ in range(mails):
                arrived = anyio.Event()
                begin = time.perf_counter()
                await session.default_branch.asend(target.id, "message", "hello")
                await arrived.wait()
                sends.append(started[-1] - begin)
                await session.await_idle()
            for _ in range(mails // 4):
                begin = time.perf_counter()
                await plain.communicate("What is a lion?", context=["A lion is a large cat."], clear_messages=True)
                requests.append(time.perf_counter() - begin)
            worker.stop()
    await exchange.aclose()
    return [
        Figure("P3", "send → behaviour starts, p50", _quantile(sends, 0.5) * 1000, "ms", "at most 1.0"),
        Figure("P3", "send → behaviour starts, p99", _quantile(sends, 0.99) * 1000, "ms", "at most 3"),
        Figure("P3", "request → reply, p50", _quantile(requests, 0.5) * 1000, "ms", "at most 1.0"),
        Figure("P3", "request → reply, p99", _quantile(requests, 0.99) * 1000, "ms", "at most 3"),
    ]


def _quantile(values: list[float], share: float) -> float:
    return statistics.quantiles(values, n=1000, method="inclusive")[int(share * 1000) - 1]
