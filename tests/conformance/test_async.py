"""The same verbs from an event loop, which they never block."""

from collections.abc import AsyncIterator

import anyio
import pytest

from lion_broker.errors import ConfigError
from lion_broker.mail.exchange import Exchange
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import START, Posted, ReadyEntry
from lion_broker.mail.verbs import (
    AwaitReply,
    ListSessions,
    Post,
    ReadEvents,
    ReadInbox,
    ReadReady,
    ReadSession,
)
from tests.conformance.road import Road, texts, wait_until

pytestmark = pytest.mark.anyio


@pytest.fixture
async def road(exchange: Exchange, auto: Road) -> AsyncIterator[Road]:
    """A session whose exchange lets go of the event loop's connections in the end."""
    yield auto
    await exchange.aclose()
    await exchange.aclose()


async def test_verbs_have_the_same_answers(road: Road) -> None:
    """What was posted from the loop is read from a thread, and the other way round."""
    road.local("ada")
    mails = (road.mail("x", "ada", 1),)
    assert await road.exchange.acall(Post(road.session, "p", 1, mails)) == Posted(Outcome.OK)
    assert (await road.exchange.acall(Post(road.session, "p", 1, mails))).outcome is Outcome.DUPLICATE
    assert await road.exchange.acall_all(()) == []
    assert texts(road.inbox("ada")) == [1]
    road.say("x", "ada", 2)
    assert texts(await road.exchange.acall(ReadInbox(road.session, "ada"))) == [1, 2]
    sessions, none, nothing = await road.exchange.acall_all(
        (ListSessions(), ReadSession("nowhere"), ReadInbox("nowhere", "ada"))
    )
    assert (sessions, none, nothing) == ((road.session,), None, ())


async def test_who_asks_hears_that_the_answer_has_come(road: Road) -> None:
    """Once, and before it is theirs."""
    road.local("ada")
    road.say("x", "ada", 1)
    heard: list[str] = []

    async def hear() -> None:
        heard.append("heard")

    for _ in range(3):
        assert texts(await road.exchange.acall(ReadInbox(road.session, "ada"), heard=hear)) == [1]
    assert heard == ["heard"] * 3


async def test_senseless_verbs_are_refused(road: Road) -> None:
    """What is wrong with a verb is said here too before anything is done."""
    with pytest.raises(ConfigError):
        await road.exchange.acall(ReadSession("a b"))


async def test_waiting_leaves_the_loop_free(road: Road) -> None:
    """While one waits for work, another posts it on the same loop."""
    road.pooled("ada")
    found: list[ReadyEntry] = []

    async def wait() -> None:
        found.extend(await road.exchange.acall(ReadReady(road.pool, "worker", 1, 30_000)))

    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            group.start_soon(wait)
            await anyio.lowlevel.checkpoint()
            await road.exchange.acall(Post(road.session, "p", 1, (road.mail("x", "ada"),)))
    assert [ready.branch for ready in found] == ["ada"]


async def test_many_may_wait_at_once(road: Road) -> None:
    """More waiting calls than a pool of threads or connections usually holds hinder nobody."""
    road.pooled("ada")

    async with anyio.create_task_group() as group:
        for number in range(60):
            group.start_soon(road.exchange.acall, AwaitReply(road.session, f"client-{number}", START, 60_000))
        with anyio.fail_after(20):
            await road.exchange.acall(Post(road.session, "p", 1, (road.mail("x", "ada"),)))
            ready = await road.exchange.acall(ReadReady(road.pool, "worker", 1, 10_000))
        group.cancel_scope.cancel()
    assert [entry.branch for entry in ready] == ["ada"]


async def test_a_waiting_call_can_be_cancelled(road: Road) -> None:
    """Cancellation ends the waiting at once, and no work is lost to a reader that has gone."""
    road.pooled("ada")
    with anyio.move_on_after(0.05) as scope:
        await road.exchange.acall(ReadReady(road.pool, "gone", 1, 60_000))
    assert scope.cancelled_caught
    with anyio.move_on_after(0.05) as scope:
        await road.exchange.acall(ReadEvents(road.session, road.events()[-1].id, wait_ms=60_000))
    assert scope.cancelled_caught
    road.say("x", "ada", 1)

    def found() -> list[str]:
        road.sweep()
        return [ready.branch for ready in road.ready()]

    assert wait_until(found) == ["ada"]


async def test_closing_keeps_what_was_accepted(road: Road) -> None:
    """After closing, the exchange may be used again and holds what it held."""
    road.local("ada")
    road.say("x", "ada", 1)
    await road.exchange.aclose()
    road.exchange.close()
    road.exchange.close()
    assert texts(road.inbox("ada")) == [1]
    assert texts(await road.exchange.acall(ReadInbox(road.session, "ada"))) == [1]


async def test_it_says_what_it_is(exchange: Exchange, road: Road) -> None:
    """URL and profile name the exchange, without secrets, on one line."""
    assert exchange.url.partition(":")[0] in {"memory", "unix", "redis"}
    assert exchange.profile in {"memory", "dev", "durable", "ha"}
    assert exchange.url in repr(exchange)
    assert "\n" not in repr(exchange)


@pytest.mark.anyio
async def test_nothing_is_asked(exchange: Exchange) -> None:
    """No verbs have no answers, before and after the first verb, with and without an event loop."""
    for _ in range(2):
        assert exchange.call_all(()) == []
        assert await exchange.acall_all(()) == []
        exchange.call(ListSessions())
