"""Verbs that follow one another on a connection of their own: what goes wrong on the way is mended, nothing twice."""

from collections.abc import Iterator
from typing import Any

import pytest

from lion_broker import Session
from lion_broker.branch.batch import MOST_ON_THEIR_WAY, PIECE
from lion_broker.broker.exchange import RedisExchange
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.verbs import Post
from lion_broker.mail.wire import BLOB_BYTES, Header, WireMail
from tests.stage import Stage

pytestmark = pytest.mark.redis

MAILS = 15 * PIECE + 50


@pytest.fixture
def exchange(own_stage: Stage) -> Iterator[RedisExchange]:
    """An exchange with the server."""
    exchange = own_stage.connect()
    yield exchange
    exchange.close()


@pytest.fixture
def session(exchange: RedisExchange) -> Iterator[Session]:
    """A session with a branch of this process, which gets mail."""
    with Session(exchange=exchange, delivery="auto") as session:
        session.new_branch(name="ben")
        yield session


def posts(session: Session, count: int) -> list[Post]:
    """Posts of one mail each, by one producer."""
    ben = session.branches["ben"].id
    mails = [WireMail(Header(session.id, session.id, ben, "message"), b'{"item":"%d"}' % n) for n in range(count)]
    return [Post(session.id, "producer", number, (mail,)) for number, mail in enumerate(mails, 1)]


def heard(session: Session) -> list[str]:
    """What ben has got."""
    ben: Any = session.branches["ben"]
    ben.receive_all()
    return [message.text for message in ben.messages]


def numbers(count: int) -> list[str]:
    """What is heard of numbered mails."""
    return [str(number) for number in range(count)]


def test_answers_come_in_order(exchange: RedisExchange, session: Session) -> None:
    """As many as one likes to wait for."""
    pipeline = exchange.pipeline()
    for post in posts(session, 20):
        pipeline.begin(post)
    first = pipeline.answers(5)
    assert len(first) >= 15
    rest = pipeline.answers()
    assert [answer.outcome for answer in (*first, *rest)] == [Outcome.OK] * 20
    assert pipeline.answers() == []
    pipeline.close()
    pipeline.close()
    assert heard(session) == numbers(20)


def test_a_pipeline_that_is_closed_without_its_answers(exchange: RedisExchange, session: Session) -> None:
    """Its connection is used by nobody else; what it has asked for may be asked for again."""
    pipeline, asked = exchange.pipeline(), posts(session, 20)
    for post in asked:
        pipeline.begin(post)
    pipeline.close()
    assert {exchange.call(post).outcome for post in asked} <= {Outcome.OK, Outcome.DUPLICATE}
    assert heard(session) == numbers(20)


def test_a_connection_that_is_used_again(own_stage: Stage, exchange: RedisExchange, session: Session) -> None:
    """Pipelines that were answered leave none open beside those that calls use."""
    for post in posts(session, 50):
        pipeline = exchange.pipeline()
        pipeline.begin(post)
        pipeline.answers()
        pipeline.close()
    assert len(own_stage.server.client.client_list()) < 25


@pytest.mark.parametrize("harm", ["cut", "functions"])
def test_a_block_in_whose_middle_something_breaks(own_stage: Stage, session: Session, harm: str) -> None:
    """The connection, or the functions: what is on its way is asked for again, and the block goes on."""
    home, client = session.default_branch, own_stage.server.client
    with session.batch():
        for number in range(MAILS):
            if number % PIECE == PIECE // 2:
                if harm == "cut":
                    client.client_kill_filter(_type="normal", skipme=True)
                else:
                    client.function_flush()
            home.send("ben", "message", str(number))
        assert len(home.mailbox) <= (MOST_ON_THEIR_WAY + 1) * PIECE
    assert heard(session) == numbers(MAILS)
    assert session.counters()["posted"] == MAILS


@pytest.mark.anyio
async def test_the_same_without_blocking(own_stage: Stage, session: Session) -> None:
    """With `asend`, in an event loop."""
    home, client = session.default_branch, own_stage.server.client
    async with session.batch():
        for number in range(MAILS):
            if number % PIECE == PIECE // 2:
                client.client_kill_filter(_type="normal", skipme=True)
            await home.asend("ben", "message", str(number))
        assert len(home.mailbox) <= (MOST_ON_THEIR_WAY + 1) * PIECE
    assert heard(session) == numbers(MAILS)


def test_bodies_that_travel_beside_their_mail(session: Session) -> None:
    """They are put before the mail, and come in its place."""
    large = "x" * (BLOB_BYTES + 1)
    with session.batch():
        for number in range(2 * PIECE):
            session.default_branch.send("ben", "message", large if number % PIECE == 50 else str(number))
    assert heard(session) == [large if number % PIECE == 50 else str(number) for number in range(2 * PIECE)]
