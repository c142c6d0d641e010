"""What a worker says of its turns is told in bulk, and none of it is lost."""

import asyncio
import logging
from functools import partial

import pytest

from lion_broker import Branch, Mail, Registry, Session
from lion_broker.mail.memory import MemoryExchange
from lion_broker.telemetry import later as module
from lion_broker.telemetry.later import later, tell
from lion_broker.telemetry.otel import otel
from tests.conftest import RunningWorker
from tests.unit.telemetry.seen import watched

pytestmark = pytest.mark.anyio


async def test_enough_is_told_at_once_and_in_order() -> None:
    """Nothing is told before there are so many."""
    tell()
    told: list[int] = []
    for number in range(module._MOST):
        assert told == []
        later(partial(told.append, number))
    assert told == list(range(module._MOST))


async def test_little_is_told_soon() -> None:
    """Nobody has to ask for it."""
    for _ in range(2):
        told = asyncio.Event()
        later(told.set)
        assert not told.is_set()
        await told.wait()


def test_without_an_event_loop_it_is_told_now() -> None:
    """Nobody would come back to it."""
    told: list[int] = []
    later(partial(told.append, 1))
    assert told == [1]


def test_what_a_loop_has_left_is_told_with_the_next() -> None:
    """One that ends before its time leaves it, and the next has a time of its own."""
    told: list[int] = []

    async def leave() -> None:
        later(partial(told.append, 1))

    async def wait() -> None:
        done = asyncio.Event()
        later(done.set)
        await done.wait()

    asyncio.run(leave())
    assert told == []
    asyncio.run(wait())
    assert told == [1]


async def test_what_cannot_be_told_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """The log says so, and the rest is told."""
    told: list[int] = []

    def fail() -> None:
        raise LookupError("no such exporter")

    later(fail)
    later(partial(told.append, 1))
    with caplog.at_level(logging.ERROR):
        tell()
    assert told == [1]
    assert "no such exporter" in caplog.text


@pytest.mark.parametrize("behaviour", [None, "answer"])
async def test_a_worker_that_stops_has_told_all(running_worker: RunningWorker, behaviour: str | None) -> None:
    """Its spans are with the processors, whatever it was about."""
    registry, exchange = Registry(), MemoryExchange()

    @registry.behaviour("answer")
    async def answer(branch: Branch, mail: Mail) -> None:
        await branch.asend(mail.sender, "message", "re")

    with watched() as seen:
        async with Session(exchange=exchange, delivery="auto") as session:
            branch = await session.anew_branch(pool="p", behaviour=behaviour)
            async with running_worker(registry, exchange, pool="p"):
                await session.default_branch.asend(branch, "message", "hello")
                await session.await_idle()
            found = [span.name.split()[0] for span in seen.exporter.get_finished_spans()]
    assert set(found) == {"send", "receive", "process"} | ({"ack"} if behaviour else set())


async def test_values_are_there_when_the_metrics_are_read() -> None:
    """However few they are: whoever reads them asks for what waits."""
    with watched() as seen:
        used = otel()
        assert used is not None
        for value in (0.1, 0.2):
            used.record("messaging.process.duration", value, {})
        for _ in range(2):
            data = seen.reader.get_metrics_data()
            (metric,) = [
                one
                for resource in (data.resource_metrics if data else [])
                for scope in resource.scope_metrics
                for one in scope.metrics
            ]
            (point,) = metric.data.data_points
            assert (point.count, round(point.sum, 3)) == (2, 0.3)  # type: ignore[union-attr]
