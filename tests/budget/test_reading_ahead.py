"""A branch that a worker does not have is read with its claim, where others of its session were needed before."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from lion_broker import Branch, Mail, Registry, Session
from lion_broker.broker.async_client import AsyncClient
from lion_broker.broker.exchange import RedisExchange
from lion_broker.broker.leases import LeaseKeeper
from lion_broker.mail.verbs import Promote, ReadReady
from lion_broker.worker.schedule import Schedule
from lion_broker.worker.seat import Seat
from lion_broker.worker.workplace import Workplace

pytestmark = pytest.mark.anyio


@pytest.fixture
def seen() -> list[list[str]]:
    """What the branch knew when its behaviour began, mail after mail."""
    return []


@pytest.fixture
def registry(seen: list[list[str]]) -> Registry:
    """A behaviour that looks at the history."""
    registry = Registry()

    @registry.behaviour("look")
    async def look(branch: Branch, mail: Mail) -> None:
        seen.append(_said(branch))

    return registry


@pytest.fixture
def place(exchange: RedisExchange, registry: Registry) -> Iterator[Workplace]:
    """A worker's place, whose turns have two mails."""
    schedule = Schedule(9, 2, lambda ready: None)
    place = Workplace(exchange, registry, LeaseKeeper(exchange, 60_000), "p", "me", 60_000, schedule)
    place.time.heard(exchange.call(Promote()).now)
    yield place
    place.keeper.close()


def _said(branch: Branch) -> list[str]:
    return [message.content["instruction"] for message in branch.messages]


async def serve(place: Workplace) -> None:
    """Serve the branch that is ready next."""
    (ready,) = await place.exchange.acall(ReadReady("p", "me", 1))
    place.schedule.add(ready)
    await Seat(place, ready).serve()


async def test_one_trip_for_claim_and_branch(
    exchange: RedisExchange, place: Workplace, seen: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A turn is two trips; of the first branch of a session it is three, since it might not have been needed."""
    async with Session(exchange=exchange, delivery="auto") as session:
        branches = [await session.anew_branch(pool="p", behaviour="look") for _ in range(3)]
        assert not await exchange.acall(ReadReady("p", "me", 1))  # whoever reads first makes the pool's group
        async with session.batch():
            for branch in branches:
                session.default_branch.send(branch, "message", "one")
                session.default_branch.send(branch, "message", "two")
        asked, trips = AsyncClient.call, [0]

        async def call(line: AsyncClient, *arguments: object, **options: object) -> list[object]:
            trips[-1] += 1
            return await asked(line, *arguments, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(AsyncClient, "call", call)
        for _ in branches:
            await serve(place)
            trips.append(0)
        assert session.counters()["applied"] == 6
    # Each has the read of what is ready, and the commit.
    assert trips[:3] == [2 + 2, 2 + 1, 2 + 1]
    assert seen == [["one"], ["one", "two"]] * 3


async def test_what_is_only_written_down_is_not_read(exchange: RedisExchange, place: Workplace) -> None:
    """Where the last mail of a session did not need its branch, the next is not read ahead either; and the reverse."""
    async with Session(exchange=exchange, delivery="auto") as session:
        plain, look = await session.anew_branch(pool="p"), await session.anew_branch(pool="p", behaviour="look")
        ahead = []
        for branch in (plain, look, plain, plain):
            await session.default_branch.asend(branch, "message", "hello")
            (ready,) = await exchange.acall(ReadReady("p", "me", 1))
            place.schedule.add(ready)
            ahead.append(len(place.reads_ahead(replace(ready, branch="another"))))
            await Seat(place, ready).serve()
        assert ahead == [0, 0, 2, 0]


async def test_a_long_log_is_read_to_its_end(exchange: RedisExchange, place: Workplace) -> None:
    """What comes with the claim is its beginning only, for it may not be needed."""
    async with Session(exchange=exchange, delivery="auto") as session:
        other, branch = await session.anew_branch(pool="p", behaviour="look"), await session.anew_branch(pool="p")
        texts = [str(number) for number in range(120)]
        async with session.batch():
            for text in texts:
                session.default_branch.send(branch, "message", text)
        await serve(place)
        await session.default_branch.asend(other, "message", "needed")
        await serve(place)
        async with session.batch():
            for text in ("late", "later"):
                session.default_branch.send(branch, "message", text, ttl=3600)
        await serve(place)
        host = place.take_warm(branch.id, version=61)
        assert host is not None
        assert _said(host.branch) == [*texts, "late", "later"]


async def test_what_was_read_is_not_used_when_the_branch_has_gone_on(exchange: RedisExchange, place: Workplace) -> None:
    """Mail that is only written down does not need the branch; what comes behind it finds what it wrote."""
    async with Session(exchange=exchange, delivery="auto") as session:
        other, branch = await session.anew_branch(pool="p", behaviour="look"), await session.anew_branch(pool="p")
        await session.default_branch.asend(other, "message", "needed")
        await serve(place)
        async with session.batch():
            for text in ("one", "two"):
                session.default_branch.send(branch, "message", text)
            # What may come too late has to be looked at.
            session.default_branch.send(branch, "message", "three", ttl=3600)
        await serve(place)
        host = place.take_warm(branch.id, version=2)
        assert host is not None
        assert _said(host.branch) == ["one", "two", "three"]
