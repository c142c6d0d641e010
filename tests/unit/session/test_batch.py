"""Batches: mail of local and of remote branches that goes together."""

from collections.abc import Iterator

import pytest

from lion_broker import BranchClosed, BrokerUnavailable, Session
from lion_broker.mail.verbs import Dispatch, Post, ReadBranches
from tests.doubles import Forgetful


@pytest.fixture
def exchange() -> Forgetful:
    """An exchange that can lose an answer."""
    return Forgetful()


@pytest.fixture
def session(exchange: Forgetful) -> Iterator[Session]:
    """A session with automatic delivery and branches here and on workers."""
    with Session(exchange=exchange, delivery="auto") as session:
        session.new_branch(name="here")
        session.new_branch(name="there", pool="p")
        yield session


def heard(session: Session) -> list[str]:
    """What the default branch has got."""
    session.default_branch.receive_all()
    return [message.text for message in session.default_branch.messages]


def say(session: Session, *texts: str, names: tuple[str, ...] = ("here", "there")) -> None:
    """Write to the default branch in turns."""
    for number, text in enumerate(texts):
        session.branches[names[number % len(names)]].send(session.default_branch, "message", text)


def test_everybodys_mail_goes_at_the_end(session: Session) -> None:
    """Nothing before, all of it after."""
    with session.batch():
        say(session, "a", "b", "c", "d")
        assert heard(session) == []
    assert sorted(heard(session)) == ["a", "b", "c", "d"]


def test_batches_in_batches(session: Session) -> None:
    """The outermost one counts."""
    with session.batch():
        with session.batch():
            say(session, "a", "b")
        assert heard(session) == []
    assert sorted(heard(session)) == ["a", "b"]


@pytest.mark.anyio
async def test_without_blocking(session: Session) -> None:
    """The same with `async with`."""
    async with session.batch():
        say(session, "a", "b")
    assert sorted(heard(session)) == ["a", "b"]


def test_a_batch_that_fails(session: Session) -> None:
    """What was sent before the error is sent: a batch delays mail, and is no transaction."""

    def fail() -> None:
        with session.batch():
            say(session, "a", "b")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert sorted(heard(session)) == ["a", "b"]


def test_a_lost_answer(session: Session, exchange: Forgetful) -> None:
    """The call may be repeated with the next batch, and nothing is posted twice."""
    exchange.loses = Post
    with pytest.raises(BrokerUnavailable), session.batch():
        say(session, "a", "b", "c", names=("there",))
    with session.batch():
        say(session, "d", names=("there",))
    assert heard(session) == ["a", "b", "c", "d"]


def test_a_post_that_never_arrived(session: Session, exchange: Forgetful) -> None:
    """The mail stays here and goes with whatever is stored next."""
    exchange.misses = Post
    with pytest.raises(BrokerUnavailable), session.batch():
        say(session, "a", "b", "c", names=("there",))
    assert heard(session) == []
    session.flush()
    assert heard(session) == ["a", "b", "c"]


def test_a_recipient_that_went_away(session: Session) -> None:
    """The piece with its mail is refused, with the branch's name; later batches are not held up."""
    gone = session.new_branch(name="gone")

    def write_and_remove() -> None:
        with session.batch():
            session.branches["there"].send(gone, "message", "hello")
            session.remove_branch(gone)

    with pytest.raises(BranchClosed, match=gone.id):
        write_and_remove()
    with session.batch():
        say(session, "a", "b")
    assert sorted(heard(session)) == ["a", "b"]


def test_an_outage_says_what_became_of_a_mail() -> None:
    """Kept, or not taken: nobody has to guess whether to send it again, and what was kept goes out once."""
    exchange = Forgetful()
    with Session(exchange=exchange, delivery="auto") as session, Session.open(session.id, exchange=exchange) as other:
        ada, ben = session.new_branch(name="ada"), session.new_branch(name="ben")
        far = other.new_branch(name="far")
        exchange.misses = Dispatch
        with pytest.raises(BrokerUnavailable, match="The mail is kept, and goes out with the session's next command"):
            ada.send(ben, "message", "kept")
        exchange.misses = ReadBranches
        with pytest.raises(BrokerUnavailable, match="The mail was not taken: send it again"):
            ada.send("far", "message", "not taken")
        session.flush()
        ben.receive_all()
        far.receive_all()
        assert ([message.text for message in ben.messages], len(far.messages)) == (["kept"], 0)
