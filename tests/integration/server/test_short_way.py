"""A verb that goes alone has a short way to the server and back; what does not fit on it goes the way of all others."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from lion_broker.broker.exchange import RedisExchange
from lion_broker.broker.reads import create_group
from lion_broker.core.ids import IDType
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import BranchSeed
from lion_broker.mail.verbs import Claim, CreateBranch, CreateSession, Post, ReadReady, ReadSession
from lion_broker.mail.wire import BLOB_BYTES, Header, WireMail, encode_json
from tests.stage import Stage

pytestmark = [pytest.mark.redis, pytest.mark.anyio]

SESSION, BRANCH = str(IDType.create()), str(IDType.create())


@pytest.fixture
async def exchange(own_stage: Stage) -> AsyncIterator[RedisExchange]:
    """An exchange that is open in this event loop, with a session and a branch of the pool p."""
    async with asyncio.timeout(60):
        exchange = own_stage.connect()
        await exchange.acall(CreateSession(SESSION, {"delivery": "auto"}))
        await exchange.acall(CreateBranch(SESSION, BranchSeed(BRANCH, pool="p"), ()))
        yield exchange
        await exchange.aclose()


Ask = Callable[[Any], Awaitable[Any]]


@pytest.fixture(params=["coroutine", "ordinary"])
def ask(request: pytest.FixtureRequest, exchange: RedisExchange) -> Ask:
    """Asks for a verb in the event loop, or as ordinary code does."""

    async def ask_here(verb: Any) -> Any:
        return exchange.call(verb) if request.param == "ordinary" else await exchange.acall(verb)

    return ask_here


def a_mail(text: str) -> Post:
    """One mail to the branch, the first of a producer."""
    body = encode_json({"item": text}, "value")
    return Post(SESSION, str(IDType.create()), 1, (WireMail(Header(SESSION, SESSION, BRANCH, "node_id"), body),))


async def test_functions_that_are_gone(own_stage: Stage, ask: Ask) -> None:
    """They are loaded, and the same verb is done."""
    own_stage.server.client.function_flush()
    assert (await ask(a_mail("hello"))).outcome is Outcome.OK
    record = await ask(ReadSession(SESSION))
    assert record is not None
    assert record.counters["posted"] == 1


async def test_a_group_that_is_gone(own_stage: Stage, ask: Ask) -> None:
    """It is made, and what is ready is read."""
    await ask(a_mail("hello"))
    (ready,) = own_stage.server.client.scan_iter("*:ready:p")
    own_stage.server.client.xgroup_destroy(ready, "workers")
    (found,) = await ask(ReadReady("p", "me", 10))
    assert found.branch == BRANCH


async def test_a_connection_that_is_cut(own_stage: Stage, ask: Ask) -> None:
    """The same verb goes over another one, and has one effect."""
    own_stage.server.client.client_kill_filter(_type="normal", skipme=True)
    post = a_mail("hello")
    assert (await ask(post)).outcome is Outcome.OK
    own_stage.server.client.client_kill_filter(_type="normal", skipme=True)
    assert (await ask(post)).outcome is Outcome.DUPLICATE
    record = await ask(ReadSession(SESSION))
    assert record is not None
    assert record.counters["posted"] == 1


async def test_a_body_that_travels_beside_its_mail(ask: Ask) -> None:
    """It is put before the mail, and fetched after the claim."""
    large = "x" * (BLOB_BYTES + 1)
    await ask(a_mail(large))
    (ready,) = await ask(ReadReady("p", "me", 10))
    claimed = await ask(Claim(SESSION, BRANCH, "t" * 32, entry=ready.id, pool="p", owner="me"))
    (entry,) = claimed.entries
    assert isinstance(entry.mail, WireMail)
    assert entry.mail.item() == {"item": large}


async def test_others_have_their_turn_before_an_answer_is_read(
    exchange: RedisExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is told that it has come may let them go on while many mails are read."""
    order: list[str] = []
    read = exchange._read

    def note(*words: Any) -> Any:
        order.append("read")
        return read(*words)

    async def hear() -> None:
        order.append("heard")

    monkeypatch.setattr(exchange, "_read", note)
    assert await exchange.acall(ReadSession(SESSION), heard=hear) is not None
    assert order == ["heard", "read"]


async def test_a_pool_that_is_forgotten_before_it_is_read(
    exchange: RedisExchange, own_stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a sweep that sees no reader yet: it is made once more, and the read waits as any other."""
    times = iter(range(10))

    def made(road: Any, pool: str) -> Any:
        commands = create_group(road, pool)
        key = road.keys.ready(pool, 0)
        return (*commands, ("UNLINK", key)) if next(times) == 0 else commands

    monkeypatch.setattr("lion_broker.broker.exchange.create_group", made)
    assert await exchange.acall(ReadReady("new", "worker", 10, 1)) == ()
    assert next(times) == 2
