"""Replies to commands, and waiting for them."""

from concurrent.futures import ThreadPoolExecutor

from lion_broker.mail.exchange import Exchange
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import START, Reply, is_after
from lion_broker.mail.verbs import AwaitReply, DeleteSession, DropReplies, Say
from tests.conformance.road import Road

CLIENT = "client:one"


def answer(road: Road, *bodies: bytes, client: str = CLIENT) -> None:
    """Let the local branch `ada` answer a client in one turn."""
    stand = road.claim("ada", "mine")
    replies = tuple(Reply(client, f"asked-{number}", body) for number, body in enumerate(bodies))
    assert road.commit("ada", "mine", stand, replies=replies).outcome is Outcome.OK


def await_reply(road: Road, after: str = START, wait_ms: int = 0, client: str = CLIENT) -> tuple[Reply, ...]:
    """Ask for the replies after one of them."""
    return road.call(AwaitReply(road.session, client, after, wait_ms))


def bodies(replies: tuple[Reply, ...]) -> list[bytes]:
    """What replies say."""
    return [reply.body for reply in replies]


def test_a_reply_comes_with_the_commit(auto: Road) -> None:
    """The client that asked reads the bytes of the reply, and which command they answer."""
    auto.local("ada")
    assert await_reply(auto) == ()
    answer(auto, b'{"text":"gr\xc3\xb6\xc3\x9fer"}', b"\x00\xff")
    first, second = await_reply(auto)
    assert first == Reply(CLIENT, "asked-0", b'{"text":"gr\xc3\xb6\xc3\x9fer"}', first.id)
    assert second == Reply(CLIENT, "asked-1", b"\x00\xff", second.id)
    assert is_after(second.id, first.id)


def test_replies_are_read_on(auto: Road) -> None:
    """`after` leaves out what the client has read; what comes later is there whether or not it was asked for."""
    auto.local("ada")
    answer(auto, b"1", b"2")
    answer(auto, b"3")
    assert bodies(await_reply(auto)) == [b"1", b"2", b"3"]
    *_, second, third = await_reply(auto)
    assert await_reply(auto, second.id) == (third,)
    assert await_reply(auto, third.id) == ()
    answer(auto, b"4")
    assert bodies(await_reply(auto, third.id)) == [b"4"]


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
        reply = client.submit(await_reply, auto, START, 120_000)
        answer(auto, b"1", client="another")
        answer(auto, b"2")
        assert [found.body for found in reply.result(60)] == [b"2"]


def test_a_client_waits_for_its_next_reply(auto: Road) -> None:
    """Replies that were seen do not end the waiting."""
    auto.local("ada")
    answer(auto, b"1")
    (first,) = await_reply(auto)
    with ThreadPoolExecutor(1) as client:
        reply = client.submit(await_reply, auto, first.id, 120_000)
        answer(auto, b"2")
        assert [found.body for found in reply.result(60)] == [b"2"]


def test_replies_are_dropped(auto: Road) -> None:
    """Those of the clients that are named, whether they were read or not; what comes later is there again."""
    auto.local("ada")
    answer(auto, b"1", b"2")
    answer(auto, b"3", client="another")
    answer(auto, b"4", client="third")
    (second,) = await_reply(auto)[1:]
    for _ in range(2):
        assert auto.call(DropReplies(auto.session, (CLIENT, "another", "nobody"))) is None
    assert await_reply(auto) == await_reply(auto, client="another") == ()
    assert bodies(await_reply(auto, client="third")) == [b"4"]
    answer(auto, b"5")
    assert bodies(await_reply(auto)) == bodies(await_reply(auto, second.id)) == [b"5"]
    assert auto.call(DropReplies(auto.session, ())) is None
    assert auto.call(DropReplies("no-such-session", (CLIENT,))) is None


def test_waiting_ends_in_time(auto: Road) -> None:
    """When no reply comes, the answer is empty."""
    auto.local("ada")
    answer(auto, b"1")
    (first,) = await_reply(auto)
    assert await_reply(auto, first.id, wait_ms=20) == ()
    assert await_reply(auto, wait_ms=20, client="nobody") == ()


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


def test_parts_of_an_answer_come_before_its_end(auto: Road) -> None:
    """The owner says parts while the turn goes on; they are read in order, and the reply of the commit after them."""
    auto.local("ada")
    stand = auto.claim("ada", "mine")
    for part in (b"1", b"2"):
        assert auto.call(Say(auto.session, "ada", "mine", CLIENT, "asked", part)) is Outcome.OK
    assert bodies(await_reply(auto)) == [b"1", b"2"]
    assert auto.commit("ada", "mine", stand, replies=(Reply(CLIENT, "asked", b"3"),)).outcome is Outcome.OK
    assert bodies(await_reply(auto)) == [b"1", b"2", b"3"]


def test_nobody_else_says_parts(auto: Road) -> None:
    """Who does not own the branch, or no longer, is refused and nothing is heard of it."""
    auto.local("ada")
    for branch, token in (("ada", "theirs"), ("nobody", "mine")):
        assert auto.call(Say(auto.session, branch, token, CLIENT, "asked", b"1")) is Outcome.FENCED
    assert await_reply(auto) == ()
