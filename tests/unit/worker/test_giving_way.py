"""What begins before what, and what is not asked: turns that let others begin, commands that have only just come."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import pytest

from lion_broker import Branch, Mail, Registry, Session
from lion_broker.broker.leases import LeaseKeeper
from lion_broker.mail.memory import MemoryExchange
from lion_broker.mail.records import ReadyEntry
from lion_broker.mail.verbs import ReadCancelled, ReadReady, Verb
from lion_broker.worker.schedule import Schedule
from lion_broker.worker.seat import Seat
from lion_broker.worker.server_time import ServerTime
from lion_broker.worker.workplace import Workplace

pytestmark = pytest.mark.anyio


class Asked(MemoryExchange):
    """An exchange that notes how often it is asked for cancelled commands."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0

    async def acall_all(self, verbs: Sequence[Verb[Any]], /, **way: Any) -> list[Any]:
        """Do the verbs."""
        self.looks += sum(isinstance(verb, ReadCancelled) for verb in verbs)
        return await super().acall_all(verbs, **way)


class Desk:
    """Seats of a worker that is not running: what is read for it, and served, is up to the test."""

    def __init__(self, exchange: MemoryExchange, registry: Registry) -> None:
        self._exchange = exchange
        self.tasks: list[asyncio.Task[None]] = []
        self.schedule = Schedule(10, 1, self._start)
        keeper, clock = LeaseKeeper(exchange, 60_000), ServerTime(lambda: 0.0)
        self.place = Workplace(exchange, registry, keeper, "p", "me", 60_000, self.schedule, clock)

    def _start(self, ready: ReadyEntry) -> None:
        self.tasks.append(asyncio.get_running_loop().create_task(Seat(self.place, ready).serve()))

    async def read(self, age_ms: int = 0) -> ReadyEntry:
        """Read the next branch, so many ms after its mail came."""
        (ready,) = await self._exchange.acall(ReadReady("p", "me", 1, wait_ms=60_000))
        assert ready.given is not None
        self.place.time.heard(ready.given.now + age_ms)
        return ready


@pytest.fixture
def exchange() -> Asked:
    """The exchange."""
    return Asked()


@pytest.fixture
def registry() -> Registry:
    """What the test has registered."""
    return Registry()


@pytest.fixture
def desk(exchange: Asked, registry: Registry) -> Iterator[Desk]:
    """The seats."""
    desk = Desk(exchange, registry)
    yield desk
    desk.place.keeper.close()


@pytest.fixture
async def session(exchange: Asked) -> AsyncIterator[Session]:
    """A session with automatic delivery."""
    async with Session(exchange=exchange, delivery="auto") as session:
        yield session


async def test_what_has_come_begins_before_the_next_turn_works(
    session: Session, exchange: Asked, registry: Registry, desk: Desk
) -> None:
    """A branch of another session that is read while a turn gets its answer does not stand behind the turn after it."""
    order: list[str] = []
    other = Session(exchange=exchange, delivery="auto")

    async def come() -> None:
        desk.schedule.add(ready)

    @registry.behaviour("busy", record=False)
    async def busy(branch: Branch, mail: Mail) -> None:
        order.append("busy")
        if len(order) == 1:
            desk.tasks.append(asyncio.get_running_loop().create_task(come()))
            begun.set()

    @registry.behaviour("quiet", record=False)
    async def quiet(branch: Branch, mail: Mail) -> None:
        order.append("quiet")

    begun = asyncio.Event()
    remote = await session.anew_branch(pool="p", behaviour="busy")
    for _ in range(3):
        await session.default_branch.asend(remote, "message", "hello")
    (first,) = await exchange.acall(ReadReady("p", "me", 1))
    remote = await other.anew_branch(pool="p", behaviour="quiet")
    await other.default_branch.asend(remote, "message", "hello")
    ready = await desk.read()
    desk.schedule.passage(other.id)  # it has been here before, so that the worker is shared
    desk.schedule.add(first)
    await begun.wait()
    while going := [task for task in desk.tasks if not task.done()]:
        await asyncio.wait(going)
    assert order == ["busy", "quiet", "busy", "busy"]
    await other.aclose()


@pytest.mark.parametrize(("age_ms", "looks"), [(0, 0), (1000, 1)])
async def test_whether_a_new_command_was_cancelled_is_not_asked(
    session: Session, exchange: Asked, desk: Desk, age_ms: int, looks: int
) -> None:
    """Who cancels it in the moment between is heard with the lease; of one that has waited it is asked."""
    remote = await session.anew_branch(pool="p")
    asking = asyncio.create_task(remote.adelete_tools([]))
    desk.schedule.add(await desk.read(age_ms))
    await asyncio.gather(asking, *desk.tasks)
    assert exchange.looks == looks
