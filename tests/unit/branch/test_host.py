"""The host: what a branch does waits as records until a commit, and can be dropped up to a savepoint."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from lion_broker import (
    Branch,
    BranchClosed,
    BrokerUnavailable,
    Instruction,
    LeaseLost,
    LionError,
    MailTooLarge,
    Session,
)
from lion_broker.branch.host import Host
from lion_broker.mail.memory import MemoryExchange
from lion_broker.mail.verbs import Claim, Dispatch, Promote, Release, Station, Verb
from tests.doubles import Forgetful
from tests.ledger import Ledger

TOO_LONG = "x" * 17_000_000


@pytest.fixture
def exchange() -> Forgetful:
    """An exchange that can lose an answer."""
    return Forgetful()


@pytest.fixture
def session(exchange: Forgetful) -> Iterator[Session]:
    """A session with two branches."""
    session = Session(exchange=exchange)
    session.new_branch(name="one", system="Begin.")
    yield session
    with suppress(LionError):
        session.close()


@pytest.fixture
def one(session: Session) -> Branch:
    """The branch that the tests look at."""
    branch: Branch = session.branches["one"]
    return branch


def host_of(branch: Branch) -> Host:
    """The host of a branch of this process."""
    assert branch._host is not None
    return branch._host


def stored(session: Session) -> list[str]:
    """What the exchange knows of the messages of `one`."""
    with Session.open(session.id, exchange=session.exchange) as reader:
        return [message.text for message in reader.branches["one"].messages]


def say(branch: Branch, text: str) -> None:
    """Put a message into the history."""
    branch.messages.include(Instruction.create(instruction=text))


def test_what_waits_is_committed_once(session: Session, one: Branch) -> None:
    """A commit with nothing to say is not made."""
    say(one, "hello")
    assert host_of(one).dirty
    session.flush()
    version = host_of(one).version
    session.flush()
    assert host_of(one).version == version
    assert stored(session) == ["Begin.", "hello"]


def test_a_rollback_drops_what_came_since_the_mark(session: Session, one: Branch) -> None:
    """Records and mail of before stay and go out."""
    say(one, "before")
    one.send(session.default_branch, "message", "sent before")
    savepoint = host_of(one).savepoint()
    say(one, "after")
    one.send(session.default_branch, "message", "sent after")
    one.logs.log("after")
    host_of(one).rollback(savepoint)
    session.collect_send_all(receive_all=True)
    assert stored(session) == ["Begin.", "before"]
    assert [message.text for message in session.default_branch.messages] == ["sent before"]


def test_a_lost_answer_loses_nothing_that_came_after(session: Session, one: Branch, exchange: Forgetful) -> None:
    """The commit was made although nobody heard of it; the next one knows, and adds what is new."""
    say(one, "one")
    exchange.loses = Dispatch
    with pytest.raises(BrokerUnavailable):
        session.flush()
    say(one, "two")
    one.send(session.default_branch, "message", "three")
    session.collect_send_all(receive_all=True)
    assert stored(session) == ["Begin.", "one", "two"]
    assert [message.text for message in session.default_branch.messages] == ["three"]
    assert Ledger.of(exchange, session.id).gaps() == []


def test_a_lost_answer_sends_no_mail_twice(session: Session, one: Branch, exchange: Forgetful) -> None:
    """What the lost commit sent is not sent again."""
    one.send(session.default_branch, "message", "once")
    exchange.loses = Dispatch
    with pytest.raises(BrokerUnavailable):
        session.send()
    one.send(session.default_branch, "message", "again")
    session.collect_send_all(receive_all=True)
    assert [message.text for message in session.default_branch.messages] == ["once", "again"]
    assert session.counters()["posted"] == 2
    assert session.dead_letters == []


def test_mail_taken_out_of_the_outbox_is_not_sent(session: Session, one: Branch) -> None:
    """Excluding it from the mailbox before it went is taking it back; what is left goes."""
    for text in ("no", "yes"):
        one.send(session.default_branch, "message", text)
    one.mailbox.exclude(one.mailbox.outgoing()[0])
    session.collect_send_all(receive_all=True)
    assert [message.text for message in session.default_branch.messages] == ["yes"]


def test_a_branch_that_is_hosted_elsewhere_now(session: Session, one: Branch, exchange: MemoryExchange) -> None:
    """The commit is refused with an error that says what to do; what the other host wrote stands."""
    exchange.call(Release((Station(session.id, one.id, host_of(one).token),)))
    exchange.call(Claim(session.id, one.id, "another token"))
    say(one, "too late")
    with pytest.raises(LeaseLost, match="Open the session again"):
        session.flush()
    assert stored(session) == ["Begin."]


def test_what_a_lost_branch_had_to_say_is_void(session: Session, one: Branch, exchange: MemoryExchange) -> None:
    """After the refusal nothing of it waits any more, neither to be stored nor to be sent."""
    exchange.call(Release((Station(session.id, one.id, host_of(one).token),)))
    exchange.call(Claim(session.id, one.id, "another token"))
    one.send(session.default_branch, "message", "too late")
    with pytest.raises(LeaseLost):
        session.collect()
    assert not host_of(one).dirty
    assert one.mailbox.outgoing() == []
    session.collect_send_all(receive_all=True)
    assert session.counters()["posted"] == 0


TOO_MUCH: dict[str, Callable[[Branch], object]] = {
    "message": lambda branch: say(branch, TOO_LONG),
    "change": lambda branch: branch.messages[1].update(instruction=TOO_LONG),
    "log": lambda branch: branch.logs.log(TOO_LONG),
    "system": lambda branch: branch.set_system(TOO_LONG),
}


@pytest.mark.parametrize("what", TOO_MUCH)
def test_what_cannot_be_written_down_does_not_happen(session: Session, one: Branch, what: str) -> None:
    """Too long to be stored: an error, and the branch is as it was, here as in the exchange."""
    say(one, "short")
    one.logs.log("short")
    with pytest.raises(MailTooLarge):
        TOO_MUCH[what](one)
    session.flush()
    assert stored(session) == ["Begin.", "short"]
    assert [message.text for message in one.messages] == ["Begin.", "short"]
    assert [str(entry) for entry in one.logs] == ["short"]


def test_what_just_fits_a_mail_can_be_kept(session: Session, one: Branch) -> None:
    """A received message may be split off, changed a little and read again, whatever its length."""
    session.default_branch.send(one, "message", "x" * 261_640)
    session.collect_send_all(receive_all=True)
    clone = session.split(one)
    one.messages[1].update(sender="somebody")
    session.flush()
    assert len(clone.messages) == 2
    assert [len(text) for text in stored(session)] == [6, 261_640]


def test_a_removed_branch_lives_on_alone(session: Session, one: Branch) -> None:
    """Nothing that it says is recorded any more; mail is refused, for it would be lost."""
    host = host_of(one)
    session.remove_branch(one)
    say(one, "to myself")
    one.logs.log("alone")
    for verb in (one.receive_all, lambda: one.send(session.default_branch, "message", "hello")):
        with pytest.raises(BranchClosed, match="it was removed from its session"):
            verb()
    assert not host.dirty
    assert len(one.messages) == 2


def test_what_is_due_is_asked_for_until_no_more_is() -> None:
    """One call delivers so much; where no worker runs, nobody else asks for the rest before the inbox is read."""
    asked: list[str] = []

    class InPieces(MemoryExchange):
        def call_all(self, verbs: Sequence[Verb[Any]], /) -> list[Any]:
            promotes = sum(isinstance(verb, Promote) for verb in verbs)
            asked.extend(["promote"] * promotes)
            answers = super().call_all(verbs)
            if promotes and len(asked) < 3:
                answers[0] = replace(answers[0], next_ms=0)
            return answers

    with Session(exchange=InPieces()) as session:
        session.new_branch(name="one").receive_all()
    assert asked[:3] == ["promote"] * 3


def test_a_thousand_mails_go_in_pieces(session: Session, one: Branch) -> None:
    """In order, and each once."""
    for number in range(1000):
        one.send(session.default_branch, "message", str(number))
    session.collect_send_all(receive_all=True)
    assert [message.text for message in session.default_branch.messages] == [str(number) for number in range(1000)]
