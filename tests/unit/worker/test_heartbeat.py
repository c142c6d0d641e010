"""What a worker tells the register, and what it does with the answer."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import anyio
import pytest

from lion_broker import Branch, BrokerUnavailable, Mail, Registry, Session, Worker
from lion_broker.insight.overview import workers_steps
from lion_broker.insight.views import WorkerView
from lion_broker.mail.exchange import Exchange, run
from lion_broker.mail.memory import MemoryExchange
from lion_broker.mail.verbs import Enrol, OrderWorkers, Verb
from lion_broker.testing import await_until, wait_until
from lion_broker.worker.heartbeat import beat_ms, told_behaviours
from tests.conftest import RunningWorker

pytestmark = pytest.mark.anyio

LEASE = 2.0
"""Who is silent for longer counts as lost, until the next beat: a busy machine may let a thread wait for so long."""


class Deaf(MemoryExchange):
    """Takes no heartbeats."""

    def __init__(self) -> None:
        super().__init__()
        self.refused = 0

    def call_all(self, verbs: Sequence[Verb[Any]], /) -> list[Any]:
        """Do the verbs; raises BrokerUnavailable for a heartbeat."""
        if any(isinstance(verb, Enrol) for verb in verbs):
            self.refused += 1
            raise BrokerUnavailable("Nobody is there.")
        return super().call_all(verbs)


def shown(exchange: Exchange) -> dict[str, WorkerView]:
    """The workers in the register."""
    return {one.owner: one for one in run(exchange, workers_steps())}


async def note_nothing(branch: Branch, mail: Mail) -> None:
    """A behaviour."""


def states(exchange: Exchange) -> dict[str, str]:
    """What the register says of each worker."""
    return {owner: picture.state for owner, picture in shown(exchange).items()}


@pytest.fixture
def registry() -> Registry:
    """Where each test registers its own behaviour."""
    return Registry()


async def test_a_worker_is_in_the_register_while_it_runs(running_worker: RunningWorker, registry: Registry) -> None:
    """It says who and where it is, what it does, and in the end that it has stopped."""
    exchange = MemoryExchange()

    @registry.behaviour("note")
    async def note(branch: Branch, mail: Mail) -> None:
        pass

    async with running_worker(registry, exchange, pool="p", concurrency=7, lease=LEASE) as worker:
        await await_until(lambda: states(exchange) == {worker.owner: "running"})
        picture = shown(exchange)[worker.owner]
        assert (picture.pool, picture.concurrency, picture.mails) == ("p", 7, 0)
        assert picture.behaviours == ("note", "record", "respond")
        assert picture.owner == f"{picture.host}:{picture.pid}:{picture.owner.rpartition(':')[2]}"
        async with Session(exchange=exchange, delivery="auto") as session:
            branch = await session.anew_branch(pool="p", behaviour="note")
            await session.default_branch.asend(branch, "message", "one")
            await session.await_idle()
        await await_until(lambda: shown(exchange)[worker.owner].mails == 1)
    assert (shown(exchange)[worker.owner].state, shown(exchange)[worker.owner].active) == ("stopped", 0)


async def test_too_many_behaviours_are_not_told(registry: Registry) -> None:
    """A heartbeat stays small, and nobody concludes anything from a part of them."""
    assert told_behaviours(registry) == ("record", "respond")
    for number in range(300):
        registry.behaviour(f"behaviour {number}")(note_nothing)
    assert told_behaviours(registry) is None


async def test_who_is_told_to_drain_stops(registry: Registry) -> None:
    """It ends by itself, as if it had been stopped, and the others stay."""
    exchange = MemoryExchange()
    workers = [Worker(registry, exchange=exchange, pool="p", lease=LEASE) for _ in range(2)]
    async with anyio.create_task_group() as group:
        for worker in workers:
            group.start_soon(worker.run)
        await await_until(lambda: len(shown(exchange)) == 2)
        exchange.call(OrderWorkers((workers[0].owner,)))
        await await_until(lambda: states(exchange) == {workers[0].owner: "stopped", workers[1].owner: "running"})
        workers[1].stop()


async def test_a_register_that_cannot_be_told_disturbs_nobody(
    running_worker: RunningWorker, registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    """Mail is handled all the same, and the log says so once."""
    exchange, done = Deaf(), list[str]()

    @registry.behaviour("note")
    async def note(branch: Branch, mail: Mail) -> None:
        done.append(branch.name or "")

    async with (
        Session(exchange=exchange, delivery="auto") as session,
        running_worker(registry, exchange, pool="p", lease=LEASE),
    ):
        branch = await session.anew_branch(name="ben", pool="p", behaviour="note")
        await session.default_branch.asend(branch, "message", "one")
        await await_until(lambda: exchange.refused > 2 and done == ["ben"])
    assert [line for line in caplog.messages if "register" in line] == [
        "the register of workers could not be told: Nobody is there."
    ]


async def test_a_busy_event_loop_is_no_sign_of_death(running_worker: RunningWorker, registry: Registry) -> None:
    """While a behaviour computes without awaiting, the worker is heard all the same, and says how long it does."""
    exchange, begun, go = MemoryExchange(), threading.Event(), threading.Event()
    heard: list[bool] = []

    def watch() -> None:
        begun.wait()
        first = next(iter(shown(exchange).values())).heard
        wait_until(lambda: next(iter(shown(exchange).values())).heard > first)
        wait_until(lambda: (next(iter(shown(exchange).values())).late_seconds or 0.0) > 0.2)
        heard.append(True)
        go.set()

    @registry.behaviour("compute")
    async def compute(branch: Branch, mail: Mail) -> None:
        begun.set()
        go.wait()

    watcher = threading.Thread(target=watch)
    watcher.start()
    async with (
        Session(exchange=exchange, delivery="auto") as session,
        running_worker(registry, exchange, pool="p", lease=LEASE),
    ):
        await await_until(lambda: len(shown(exchange)) == 1)
        branch = await session.anew_branch(pool="p", behaviour="compute")
        await session.default_branch.asend(branch, "message", "one")
        await session.await_idle()
    watcher.join()
    assert heard == [True]


@pytest.mark.parametrize(("lease_ms", "every_ms"), [(10_000, 2500), (3_600_000, 2500), (1000, 250), (1, 1)])
def test_heartbeats_fit_into_a_lease(lease_ms: int, every_ms: int) -> None:
    """A worker counts as lost when its leases end, and after ten seconds at the latest."""
    assert beat_ms(lease_ms) == every_ms
