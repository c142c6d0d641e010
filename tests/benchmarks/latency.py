"""P3: how long an item takes on an idle system, from publishing to the handler, and from request to reply."""

from __future__ import annotations

import statistics
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import Any

import anyio

from lion_broker import Registry, Session, Worker, iModel
from lion_broker.models.endpoint import ChatMessage
from lion_broker.models.reply import ModelChunk, ModelReply

from .contest import Contest, Round, Sample
from .drain import share_of
from .rig import Figure, Rig, run_fast
from .works import STARTS_P50, STARTS_P99

__all__ = ["latency"]

POOL = "latency"
# So long nothing happens between two items.
IDLE = 0.01


class AtOnce:
    """A model that answers at once: what is left is what the request costs."""

    async def invoke(self, messages: Sequence[ChatMessage], parameters: Mapping[str, Any]) -> ModelReply:
        """Say the same as always."""
        return ModelReply("A lion is a large cat.", "at/once")

    async def stream(self, messages: Sequence[ChatMessage], parameters: Mapping[str, Any]) -> AsyncIterator[ModelChunk]:
        """Say it in one piece."""
        yield ModelChunk(reply=await self.invoke(messages, parameters))


def latency(contest: Contest, items: int) -> list[Figure]:
    """One item at a time, from one process to another; medians of the rounds' quantiles."""
    outcomes = contest.run(lambda turn: _published(turn, items), lambda one: one.idles)
    ours = outcomes[0]
    return [
        *[one.figure("P3", STARTS_P50, "p50", "ms") for one in outcomes[1:]],
        *[one.figure("P3", STARTS_P99, "p99", "ms") for one in outcomes[1:]],
        ours.figure("P3", STARTS_P50, "p50", "ms", "at most 1.0", at_most=1.0),
        ours.figure("P3", STARTS_P99, "p99", "ms", "at most 3", at_most=3.0),
        *run_fast(partial(_requests, contest.rig, items // 4)),
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
    exchange, registry = rig.exchange(), Registry()
    registry.model("at-once", iModel.of(AtOnce(), "at/once"))
    async with (
        Session(exchange=exchange, delivery="auto") as session,
        Worker(registry, exchange=exchange, pool=POOL) as worker,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(worker.run)
        took, quoting = [await _answered(session, model, mails) for model in ("at-once", "offline/extractive")]
        worker.stop()
    await exchange.aclose()
    return [
        Figure("P3", "request → reply, p50", took["p50"], "ms", "at most 1.0", at_most=1.0),
        Figure("P3", "request → reply, p99", took["p99"], "ms", "at most 3", at_most=3.0),
        Figure("P3", "request → reply of offline/extractive, p50", quoting["p50"], "ms"),
    ]


async def _answered(session: Session, model: str, mails: int) -> Sample:
    """Ask a branch that nothing else is asked of, with that model."""
    plain = await session.anew_branch(pool=POOL, imodel=model)
    seconds = []
    for _ in range(mails):
        begin = time.perf_counter()
        await plain.communicate("What is a lion?", context=["A lion is a large cat."], clear_messages=True)
        seconds.append(time.perf_counter() - begin)
    return _quantiles(seconds)


def _quantiles(seconds: list[float]) -> Sample:
    """Return median and 99th percentile in milliseconds."""
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return {"p50": cuts[49] * 1000, "p99": cuts[98] * 1000}
