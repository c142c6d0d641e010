"""The four stations of a mail, one command at a time: outbox, exchange, inbox, history."""

import pytest

from lion_broker import Branch, Session

pytestmark = pytest.mark.redis


@pytest.fixture
def ada(session: Session) -> Branch:
    """Somebody who writes."""
    branch: Branch = session.new_branch(name="ada")
    return branch


@pytest.fixture
def ben(session: Session) -> Branch:
    """Somebody who reads."""
    branch: Branch = session.new_branch(name="ben")
    return branch


def test_send_fills_the_outbox(ada: Branch, ben: Branch) -> None:
    """Nothing moves until the session says so."""
    ada.send("ben", "message", "Hello, Ben.")
    assert len(ada.mailbox.pending_outs) == 1
    assert len(ben.mailbox) == 0


def test_collect_takes_it_and_send_delivers_it(session: Session, ada: Branch, ben: Branch) -> None:
    """Collected mail is in the exchange; sent mail is in the recipient's mailbox, by sender."""
    ada.send(ben, "message", "Hello, Ben.")
    session.collect(from_=ada)
    assert len(ada.mailbox) == 0
    assert len(ben.mailbox) == 0
    session.send(to_=ben)
    assert ben.mailbox.senders == [ada.id]
    assert len(ben.messages) == 0


def test_receive_applies_it(session: Session, ada: Branch, ben: Branch) -> None:
    """A message joins the history as a clone that says from whom and to whom it went."""
    ada.send(ben, "message", "Hello, Ben.")
    session.send()
    ben.receive(ada)
    (message,) = ben.messages
    assert (message.text, message.sender, message.recipient) == ("Hello, Ben.", ada.id, ben.id)
    assert message.is_clone()
    assert len(ben.mailbox) == 0


def test_what_you_do_not_want_yet_stays(session: Session, ada: Branch, ben: Branch) -> None:
    """Each kind of mail can be left in the mailbox, in order."""
    ada.send(ben, "tool", len)
    ada.send(ben, "message", "Use it well.")
    session.send()
    ben.receive(ada, tool=False)
    assert (len(ben.messages), list(ben.tools)) == (1, [])
    ben.receive_all()
    assert list(ben.tools) == ["len"]


def test_nothing_to_receive_is_an_error(ada: Branch, ben: Branch) -> None:
    """Asking for one sender's mail when there is none says so; asking for all is fine."""
    with pytest.raises(ValueError, match="No mail from"):
        ben.receive(ada)
    ben.receive_all()
