"""Who mailed whom, read from a session and compared with what a test expects."""

from collections.abc import Iterator
from typing import Any

import pytest

from lion_broker import Branch, Session
from lion_broker.testing import MailStep, assert_mail_flow, mail_flow


@pytest.fixture
def session() -> Iterator[Session]:
    """A session in memory."""
    with Session(exchange="memory://", delivery="auto") as session:
        yield session


@pytest.fixture
def ada(session: Session) -> Branch:
    """A branch."""
    branch: Branch = session.new_branch(name="ada")
    return branch


@pytest.fixture
def ben(session: Session) -> Branch:
    """Another one."""
    branch: Branch = session.new_branch(name="ben")
    return branch


@pytest.fixture
def talked(session: Session, ada: Branch, ben: Branch) -> Session:
    """A session in which four mails were sent."""
    ada.send(ben, "message", "one")
    ben.send(ada, "message", "two")
    ada.send(ben, "tool", len)
    ada.send(session, "message", "done")
    return session


FLOW = [("ada", "ben", "message"), ("ben", "ada", "message"), ("ada", "ben", "tool"), ("ada", "session", "message")]


def test_the_flow_is_in_the_order_of_sending(talked: Session) -> None:
    """Every mail is there once, with the names of its branches, received or not."""
    assert mail_flow(talked) == FLOW
    for branch in talked.branches:
        branch.receive_all()
    assert mail_flow(talked) == FLOW
    assert str(mail_flow(talked)[0]) == "ada → ben: message"
    assert isinstance(mail_flow(talked)[0], MailStep)


def test_branches_go_by_name_id_or_object(talked: Session, ada: Branch, ben: Branch) -> None:
    """An expected mail is written as is handy."""
    head = [(ada, ben.id, "message"), ("ben", str(ada.id), "message"), (ada, "ben", "tool")]
    assert_mail_flow(talked, [*head, (ada, talked, "message")])
    with pytest.raises(ValueError, match="category"):
        assert_mail_flow(talked, [(ada, ben, "letter")])


def test_dead_letters_were_sent_too(session: Session, ada: Branch, ben: Branch) -> None:
    """Mail that could not be delivered is part of the flow."""
    with session.batch():
        ada.send(ben, "message", "too late")
        session.remove_branch(ben)
    assert mail_flow(session) == [("ada", "ben", "message")]


@pytest.mark.parametrize(
    ("expected", "order", "others", "met"),
    [
        (FLOW, "sent", False, True),
        (FLOW[::-1], "sent", False, False),
        (FLOW[:-1], "sent", False, False),
        (FLOW[:-1], "sent", True, True),
        (FLOW[:3:2], "sent", True, True),
        (FLOW[2::-2], "sent", True, False),
        ([FLOW[1], FLOW[0], FLOW[2], FLOW[3]], "pair", False, True),
        ([FLOW[2], FLOW[1], FLOW[0], FLOW[3]], "pair", False, False),
        (FLOW[::-1], "any", False, True),
        (FLOW[::-2], "any", True, True),
        (FLOW[:1] * 2, "any", True, False),
    ],
)
def test_what_counts(talked: Session, expected: list[Any], order: Any, others: bool, met: bool) -> None:
    """The order of all, of each pair, or none; all mail or at least this."""
    if met:
        assert_mail_flow(talked, expected, order=order, others=others)
    else:
        with pytest.raises(AssertionError, match="The mail is not as expected"):
            assert_mail_flow(talked, expected, order=order, others=others)


def test_the_difference_is_readable(session: Session, ada: Branch) -> None:
    """The error shows what is missing and what was not expected, between what is right."""
    with pytest.raises(AssertionError) as raised:
        assert_mail_flow(session, [("ada", "ada", "tool")])
    assert str(raised.value).splitlines()[1:] == ["- ada → ada: tool"]
    ada.send(session, "message", "hello")
    ada.send(ada, "message", "note")
    with pytest.raises(AssertionError) as raised:
        assert_mail_flow(session, [("ada", "session", "message"), ("ada", "ada", "tool")])
    assert str(raised.value).splitlines()[1:] == [
        "  ada → session: message",
        "- ada → ada: tool",
        "+ ada → ada: message",
    ]
