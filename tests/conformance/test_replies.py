"""Replies to commands, and waiting for them."""

from concurrent.futures import ThreadPoolExecutor

from lion_broker.mail.exchange import Exchange
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import Reply
from lion_broker.mail.verbs import AwaitReply, DeleteSession
from tests.conformance.road import Road

CLIENT = "client:one"


def answer(road: Road, *bodies: bytes, client: str = CLIENT) -> None:
    """Let the local branch `ada` answer a client in one turn."""
    stand = road.claim("ada", "mine")
    replies = tuple(Reply(client, f"asked-{number}", body) for number, body in enumerate(bodies))
    assert road.commit("ada", "mine", stand, replies=replies).outcome is Outcome.OK


def await_reply(road: Road, seen: int = 0, wait_ms: int = 0, client: str = CLIENT) -> tuple[Reply, ...]:
    """Ask for the replies after the first `seen`."""
    return road.call(AwaitReply(road.session, client, seen, wait_ms))


def test_a_reply_comes_with_the_commit(auto: Road) -> None:
    """The client that asked reads the bytes of the reply, and which command they answer."""
    auto.local("ada")
    assert await_reply(auto) == ()
    answer(auto, b'{"text":"gr\xc3\xb6\xc3\x9fer"}', b"\x00\xff")
    assert await_reply(auto) == (
        Reply(CLIENT, "asked-0", b'{"text":"gr\xc3\xb6\xc3\x9fer"}'),
        Reply(CLIENT, "asked-1", b"\x00\xff"),
    )


def test_replies_are_read_on(auto: Road) -> None:
    """`seen` leaves out what the client has read; reading takes nothing away."""
    auto.local("ada")
    answer(auto, b"1", b"2")
    answer(auto, b"3")
    assert [reply.body for reply in await_reply(auto)] == [b"1", b"2", b"3"]
    assert [reply.body for reply in await_reply(auto, seen=2)] == [b"3"]
    assert await_reply(auto, seen=3) == ()
    assert len(await_reply(auto)) == 3


def test_each_client_has_its_own_replies(auto: Road) -> None:
    """Replies to one client are not seen by another."""
    auto.local("ada")
    answer(auto, b"1", client="one")
    answer(auto, b"2", client="two")
    assert [reply.body for reply in await_reply(auto, client="one")] == [b"1"]
    assert await_reply(auto, client="three") == ()


def test_a_client_waits_for_its_reply(auto: Road) -> None:
    """The waiting call returns as soon as the reply is there."""
    auto.local("ada")
    with ThreadPoolExecutor(1) as client:
        reply = client.submit(await_reply, auto, 0, 30_000)
        answer(auto, b"1", client="another")
        answer(auto, b"2")
        assert [found.body for found in reply.result(20)] == [b"2"]


def test_a_client_waits_for_its_next_reply(auto: Road) -> None:
    """Replies that were seen do not end the waiting."""
    auto.local("ada")
    answer(auto, b"1")
    with ThreadPoolExecutor(1) as client:
        reply = client.submit(await_reply, auto, 1, 30_000)
        answer(auto, b"2")
        assert [found.body for found in reply.result(20)] == [b"2"]


def test_waiting_ends_in_time(auto: Road) -> None:
    """When no reply comes, the answer is empty."""
    auto.local("ada")
    answer(auto, b"1")
    assert await_reply(auto, 1, wait_ms=20) == ()
    assert await_reply(auto, 0, wait_ms=20, client="nobody") == ()


def test_a_refused_turn_answers_nobody(auto: Road) -> None:
    """A commit that is not made sends no reply."""
    auto.local("ada")
    stand = auto.claim("ada", "mine")
    reply = Reply(CLIENT, "asked", b"1")
    assert auto.commit("ada", "theirs", stand, replies=(reply,)).outcome is Outcome.FENCED
    assert auto.commit("ada", "mine", stand, replies=(reply,), taken=("1-1",)).outcome is Outcome.STALE
    assert await_reply(auto) == ()


def test_nobody_answers_in_a_session_that_is_not_there(exchange: Exchange, auto: Road) -> None:
    """An unknown session has no replies."""
    exchange.call(DeleteSession(auto.session))
    assert await_reply(auto) == ()
    assert await_reply(auto, wait_ms=10) == ()
