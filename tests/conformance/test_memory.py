"""What only the exchange in memory promises: a world of its own, and no thread that takes work for nobody."""

import anyio
import pytest

from lion_broker.mail.memory import MemoryExchange
from lion_broker.mail.memory.store import Store
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.verbs import AwaitReply, ListSessions, Post, ReadReady
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


def test_producers_that_post_no_more_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a server: of more than a thousand, those that have not posted for ten to twenty minutes."""
    road, minutes = Road(MemoryExchange()).open(), 0
    monkeypatch.setattr(Store, "now", lambda _: minutes * 60_000)
    road.local("ada")
    mail = road.mail("x", "ada")

    def post(*names: str, seq: int = 1) -> set[Outcome]:
        return {road.call(Post(road.session, name, seq, (mail,))).outcome for name in names}

    first, second = ([f"{word}-{number}" for number in range(1000)] for word in ("first", "second"))
    assert post("old", *first) == {Outcome.OK}
    minutes = 11
    assert post("old", seq=2) == {Outcome.OK}
    assert post(second[0]) == {Outcome.OK}
    assert post(*first) == {Outcome.DUPLICATE}
    assert post("old", seq=3) == {Outcome.OK}
    minutes = 22
    assert post(*second[1:]) == {Outcome.OK}
    assert post("old", seq=3) == {Outcome.DUPLICATE}
    assert post(first[0], seq=2) == {Outcome.GAP}
    # Its first number would be taken again; by then the log of the recipient knows its mail.
    assert post(first[1]) == {Outcome.OK}


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
