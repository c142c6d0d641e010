"""What a session shows: messages gathered over branches, as a Pile or a frame, its own mail, its counters."""

import pandas as pd
import pytest

from lion_broker import Branch, Instruction, RoledMessage, Session, iModel
from lion_broker.mail.memory import MemoryExchange


def instruction(text: str, at: float | None = None) -> Instruction:
    """Something said, at some time."""
    message = Instruction.create(instruction=text)
    return message if at is None else message.model_copy(update={"created_at": at})


def texts(messages: object) -> list[str]:
    """What messages say."""
    return [message.text for message in messages]  # type: ignore[attr-defined]  # a Pile of messages


def test_in_order_of_creation(session: Session, ada: Branch, ben: Branch) -> None:
    """Whatever the order in each branch and of the branches."""
    ada.messages.include([instruction("3", 3.0), instruction("1", 1.0)])
    ben.messages.include([instruction("2", 2.0), instruction("4", 4.0)])
    assert texts(session.concat_messages()) == ["1", "2", "3", "4"]
    assert texts(session.concat_messages([ben, ada])) == ["1", "2", "3", "4"]
    assert list(session.to_df()["branch"]) == ["ada", "ben", "ada", "ben"]
    assert texts(ada.messages) == ["3", "1"]


def test_no_message_twice(session: Session, ada: Branch, ben: Branch) -> None:
    """A message that two branches have is gathered once; a branch that is named twice counts once."""
    shared = instruction("hello")
    ada.messages.include(shared)
    ben.messages.include(shared)
    assert texts(session.concat_messages(["ada", "ben", "ada"])) == ["hello"]
    assert len(session.to_df()) == 1


def test_what_is_left_out(session: Session, ada: Branch, ben: Branch) -> None:
    """Clones, loaded messages, or both."""
    ada.messages.include(instruction("said"))
    ada.messages.include(RoledMessage.from_dict(instruction("loaded").to_dict()))
    ada.send(ben, "message", "mailed")
    session.collect_send_all(receive_all=True)
    found = {
        (clone, load): texts(session.concat_messages(exclude_clone=clone, exclude_load=load))
        for clone in (False, True)
        for load in (False, True)
    }
    assert found == {
        (False, False): ["said", "loaded", "mailed"],
        (True, False): ["said", "loaded"],
        (False, True): ["said", "mailed"],
        (True, True): ["said"],
    }
    assert list(session.to_df(exclude_clone=True, exclude_load=True)["content"]) == ["said"]


def test_flags_are_the_same_for_whoever_opens_it(session: Session, ada: Branch, exchange: MemoryExchange) -> None:
    """Reading a session does not make its messages loaded ones."""
    ada.messages.include(instruction("said"))
    session.split(ada)
    with Session.open(session.id, exchange=exchange) as reader:
        assert len(reader.to_df()) == 2
        assert len(reader.to_df(exclude_load=True)) == 2
        assert len(reader.to_df(exclude_clone=True)) == 1


def test_the_frame(session: Session, ada: Branch) -> None:
    """Types of the columns are the same with and without rows; times are in UTC."""
    empty = session.to_df()
    ada.messages.include(instruction("hello", 1_700_000_000.25))
    frame = session.to_df("ada")
    assert list(frame.columns) == ["role", "content", "sender", "recipient", "created_at", "id", "branch"]
    assert len(empty) == 0
    assert list(empty.dtypes) == list(frame.dtypes)
    assert frame["created_at"][0] == pd.Timestamp("2023-11-14T22:13:20.25", tz="UTC")
    assert frame["role"][0] == "user"


def test_mail_to_the_session_itself(session: Session, ada: Branch) -> None:
    """A message is its own, a tool or model may be named by new branches; the rest waits in its mailbox."""

    def measure(text: str) -> int:
        """Measure a text."""
        return len(text)

    ada.send(session, "message", "to whom it concerns")
    ada.send(session.id, "tool", measure)
    ada.send(session.id, "imodel", iModel("offline", "extractive"))
    ada.send(session.id, "signal", "wait")
    session.send()
    assert len(session.mailbox) == 4
    session.collect()
    assert texts(session.messages) == ["to whom it concerns"]
    assert [mail.package.item for mail in session.mailbox] == ["wait"]
    assert list(session.new_branch(tools="measure").tools) == ["measure"]
    assert texts(session.concat_messages()) == ["to whom it concerns"]
    assert list(session.to_df()["branch"]) == ["session"]


def test_the_sessions_messages_by_its_id(session: Session, ada: Branch) -> None:
    """It can be chosen like a branch."""
    ada.send(session, "message", "to you")
    ada.messages.include(instruction("to me"))
    session.collect_send_all(receive_all=True)
    assert texts(session.concat_messages(session.id)) == ["to you"]
    assert texts(session.concat_messages([session.id, ada])) == ["to you", "to me"]


def test_counters(session: Session, ada: Branch, ben: Branch) -> None:
    """How many mails were posted and applied, and what became of the others."""
    ada.send(ben, "message", "one")
    ada.send(ben, "signal", "two")
    session.collect_send_all(receive_all=True)
    assert session.counters() == {"posted": 2, "applied": 1, "redelivered": 0, "dead": 0, "inflight": 0, "delayed": 0}


@pytest.mark.parametrize("delivery", ["manual", "auto"])
def test_what_it_says_of_itself(delivery: str) -> None:
    """Name, id, how many branches, delivery and exchange."""
    with Session(exchange=MemoryExchange(), name="desk", delivery=delivery) as session:
        expected = f"Session(desk, {session.id}, 1 branch, {delivery}, MemoryExchange(memory://, profile=memory))"
        assert repr(session) == expected
