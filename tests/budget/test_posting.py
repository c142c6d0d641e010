"""What a mail from outside of a turn costs: one call alone, a share of one in a batch, and few bytes beside its own."""

import asyncio
import cProfile
import gc
import pstats
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from lion_broker import Instruction, Mail, Package, Session
from lion_broker.branch.batch import MOST_ON_THEIR_WAY, PIECE
from lion_broker.broker.exchange import RedisExchange
from lion_broker.mail.exchange import run
from lion_broker.mail.verbs import Post
from lion_broker.mail.wire import Header, WireMail
from lion_broker.session.postbox import Postbox
from tests.budget.counting import Counter

MAILS = 1000
TEXT = "x" * 1000
BODY = b'{"item":"%b"}' % (b"x" * 1000)


def opened(exchange: RedisExchange, branches: int) -> tuple[Session, list[Any]]:
    """A session that delivers at once, and branches whom nobody hosts."""
    session = Session(exchange=exchange, delivery="auto")
    return session, [session.new_branch(pool="nobody") for _ in range(branches)]


def mails(session: Session, recipients: list[Any], count: int) -> list[WireMail]:
    """Mails of a kibibyte, dealt to recipients in turn."""
    return [
        WireMail(Header(session.id, session.id, recipients[n % len(recipients)].id, "message"), BODY)
        for n in range(count)
    ]


@contextmanager
def calls() -> Iterator[cProfile.Profile]:
    """Count the calls of Python and C functions in a block."""
    profile = cProfile.Profile()
    profile.enable()
    try:
        yield profile
    finally:
        profile.disable()


def objects() -> list[object]:
    """The mails and messages there are in this process."""
    return [one for one in gc.get_objects() if type(one) in (Mail, Package, Instruction)]


def calls_a_mail(profile: cProfile.Profile) -> float:
    """How many calls there were for each of the mails."""
    stats: Any = pstats.Stats(profile)
    return float(stats.total_calls / MAILS)


def test_a_single_mail_is_one_call(exchange: RedisExchange, counter: Counter) -> None:
    """`branch.send` to a branch that is known sends one command, with about a dozen inside.

    A branch of this process writes its log and the tail as well.
    """
    session, (ada, ben) = opened(exchange, 2)
    for sender, entries in ((ada, 1), (session.default_branch, 3)):
        sender.send(ben, "message", "so that ben is marked")
        with counter.counting() as count:
            sender.send(ben, "message", "hello")
        assert (count.trips, count["xadd"]) == (1, entries)
        assert count.inner <= 11
    session.close()


@pytest.mark.anyio
async def test_a_single_mail_takes_few_steps(exchange: RedisExchange) -> None:
    """Calls of Python and C functions from `send` to its return; with an event loop there are those of the loop too."""
    session, branches = opened(exchange, 10)
    sender = session.default_branch
    sender.send(branches[1], "message", TEXT)
    with calls() as profile:
        for number in range(MAILS):
            sender.send(branches[number % 10], "message", TEXT)
    assert calls_a_mail(profile) <= 208
    await sender.asend(branches[1], "message", TEXT)
    with calls() as profile:
        for number in range(MAILS):
            await sender.asend(branches[number % 10], "message", TEXT)
    assert calls_a_mail(profile) <= 265
    session.close()


def test_a_batch_goes_in_pieces_of_50(exchange: RedisExchange, counter: Counter) -> None:
    """A block of mail goes with a call for each 50: each recipient looked at once, a line in the log and the tail."""
    session, branches = opened(exchange, 10)
    sender = session.default_branch
    with counter.counting() as count, session.batch():
        for number in range(MAILS):
            sender.send(branches[number % 10], "message", "hello")
    calls = MAILS // 50
    assert count.trips == calls
    # The first entry of a pool is tried twice: its stream is not there yet.
    assert count["xadd"] == MAILS + 10 + 1 + 2 * calls
    assert count["hmget"] <= calls * 12
    assert count.inner <= MAILS * 1.45
    session.close()


def test_a_mail_of_a_batch_takes_few_steps(exchange: RedisExchange) -> None:
    """A text goes to bytes at once: a quarter of what a single mail takes."""
    session, branches = opened(exchange, 10)
    sender = session.default_branch
    with calls() as profile, session.batch():
        for number in range(MAILS):
            sender.send(branches[number % 10], "message", TEXT)
    assert calls_a_mail(profile) <= 72
    session.close()


def test_a_text_travels_as_a_text(exchange: RedisExchange, counter: Counter) -> None:
    """Beside it are a header, a signature, a row that tells of the sending, and framing: no message around it."""
    session, branches = opened(exchange, 10)
    sender = session.default_branch
    with counter.counting() as count, session.batch():
        for number in range(MAILS):
            sender.send(branches[number % 10], "message", TEXT)
    assert len(TEXT) * MAILS < count.bytes_read < (len(TEXT) + 570) * MAILS
    session.close()


@pytest.mark.anyio
async def test_mails_that_are_sent_together_share_a_call(exchange: RedisExchange, counter: Counter) -> None:
    """Tasks that send from one branch ask twice: for the first mail, and for what has come meanwhile."""
    session, branches = opened(exchange, 10)
    sender = session.default_branch
    await sender.asend(branches[0], "message", "so that the connection is there")
    with counter.counting() as count:
        await asyncio.gather(*(sender.asend(branches[n % 10], "message", TEXT) for n in range(PIECE + 1)))
    assert count["fcall"] == 2
    assert session.counters()["posted"] == PIECE + 2
    await session.aclose()


@pytest.mark.anyio
async def test_a_task_among_many_that_send_is_woken_once(exchange: RedisExchange) -> None:
    """A mail takes as few steps where eight times as many tasks send at the same time."""
    session, branches = opened(exchange, 10)
    sender = session.default_branch
    await sender.asend(branches[0], "message", "so that the connection is there")
    found = []
    for many in (MAILS, 8 * MAILS):
        with calls() as profile:
            await asyncio.gather(*(sender.asend(branches[n % 10], "message", TEXT) for n in range(many)))
        found.append(calls_a_mail(profile) * MAILS / many)
    # With a thousand all goes in two questions, with eight thousand in eleven.
    assert found[1] <= 1.05 * found[0], found
    await session.aclose()


def test_no_mail_is_made_that_nobody_looks_at(exchange: RedisExchange) -> None:
    """Until somebody looks into the outbox, there are bytes alone."""
    session, branches = opened(exchange, 10)
    sender = session.default_branch
    # Held, so that none of them is collected and leaves its address to a new one.
    before = objects()
    known = {id(one) for one in before}
    with session.batch():
        for number in range(PIECE - 1):
            sender.send(branches[number % 10], "message", TEXT)
        assert [one for one in objects() if id(one) not in known] == []
        assert len(sender.mailbox.outgoing()) == PIECE - 1
    assert len(sender.mailbox) == 0
    session.close()


def test_a_large_block_holds_few_mails(exchange: RedisExchange) -> None:
    """What has no answer yet is all that there is of a block; whoever sends faster than the server takes waits."""
    session, branches = opened(exchange, 10)
    sender = session.default_branch
    most = 0
    with session.batch():
        for number in range(30 * PIECE):
            sender.send(branches[number % 10], "message", TEXT)
            most = max(most, len(sender.mailbox))
    assert most <= (MOST_ON_THEIR_WAY + 1) * PIECE
    assert (len(sender.mailbox), session.counters()["posted"]) == (0, 30 * PIECE)
    session.close()


@pytest.mark.anyio
async def test_a_large_block_of_coroutines_holds_few_mails(exchange: RedisExchange) -> None:
    """The same with `asend`, and no connection is kept for the batch afterwards."""
    session, branches = opened(exchange, 10)
    sender = session.default_branch
    most = 0
    async with session.batch():
        for number in range(10 * PIECE + 1):
            await sender.asend(branches[number % 10], "message", TEXT)
            most = max(most, len(sender.mailbox))
    assert most <= (MOST_ON_THEIR_WAY + 1) * PIECE
    assert session.counters()["posted"] == 10 * PIECE + 1
    assert session._state.context.batches._pipeline is None
    await session.aclose()


def test_a_batch_is_bounded_by_bytes_too(exchange: RedisExchange, counter: Counter) -> None:
    """No call carries more than about a mebibyte, unless it is one mail."""
    session, branches = opened(exchange, 2)
    with counter.counting() as count, session.batch():
        for _ in range(40):
            branches[0].send(branches[1], "message", "x" * 60_000)
    assert count["fcall"] == 3
    session.close()


def test_a_mail_travels_with_little_beside_it(exchange: RedisExchange, counter: Counter) -> None:
    """The server reads each mail once, with names, signature and framing of less than 200 bytes."""
    session, branches = opened(exchange, 10)
    posted = mails(session, branches, MAILS)
    own = sum(len(mail.head) + len(mail.body) for mail in posted)
    with counter.counting() as count:
        run(exchange, Postbox(session.id).post_steps(posted))
    assert own < count.bytes_read < own + 200 * MAILS
    session.close()


def test_pieces_are_bounded_by_bytes(exchange: RedisExchange, counter: Counter) -> None:
    """No call carries more than about a mebibyte, unless it is one mail."""
    session, branches = opened(exchange, 1)
    large = [
        WireMail(Header(session.id, session.id, branches[0].id, "message"), b'"%b"' % (b"x" * 60_000))
        for _ in range(40)
    ]
    with counter.counting() as count:
        run(exchange, Postbox(session.id).post_steps(large))
    assert count["fcall"] == 3
    session.close()


def test_a_repeated_post_moves_nothing(exchange: RedisExchange, counter: Counter) -> None:
    """What has come already costs three questions, however many mails it has."""
    session, branches = opened(exchange, 10)
    verb = Post(session.id, "producer", 1, tuple(mails(session, branches, 100)))
    exchange.call(verb)
    with counter.counting() as count:
        exchange.call(verb)
    assert count["xadd"] == 0
    assert count.inner <= 4
    session.close()
