"""What only the exchange in memory promises: a world of its own, and no thread that takes work for nobody."""

import anyio
import pytest

from lion_broker.mail.memory import MemoryExchange
from lion_broker.mail.verbs import AwaitReply, ListSessions, ReadEvents, ReadReady
from tests.conformance.road import Road


def test_two_exchanges_share_nothing() -> None:
    """Each exchange is a world of its own."""
    one, two = MemoryExchange(), MemoryExchange()
    Road(one).open()
    assert len(one.call(ListSessions())) == 1
    assert two.call(ListSessions()) == ()


def test_it_is_named_memory() -> None:
    """URL and profile say that nothing survives the process."""
    with MemoryExchange() as exchange:
        assert repr(exchange) == "MemoryExchange(memory://, profile=memory)"


def test_the_live_tail_is_capped() -> None:
    """Of very many events the newest 10,000 are kept."""
    road = Road(MemoryExchange()).open()
    road.local("ada")
    road.say("x", "ada", *range(10_050))
    road.close("ada", token="mine")
    events = road.call(ReadEvents(road.session, count=20_000))
    assert len(events) == 10_000
    assert {event.kind for event in events} == {"dead"}


@pytest.mark.anyio
async def test_a_cancelled_reader_takes_nothing() -> None:
    """The thread of a cancelled call is told before it can take work that nobody would do."""
    road = Road(MemoryExchange()).open()
    road.pooled("ada")
    with anyio.move_on_after(0.02) as scope:
        await road.exchange.acall(ReadReady(road.pool, "gone", 1, 60_000))
    assert scope.cancelled_caught
    road.say("x", "ada", 1)
    assert road.call(AwaitReply(road.session, "nobody", wait_ms=30)) == ()
    assert [ready.branch for ready in road.ready()] == ["ada"]
