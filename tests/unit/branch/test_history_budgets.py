"""What a branch of a long life costs does not grow where that can be helped; counted, not timed."""

import tracemalloc
from collections.abc import Iterator

import pytest

from lion_broker import Branch, Session
from lion_broker.branch.journal import Chronicle
from lion_broker.core.ids import IDType
from lion_broker.mail.exchange import run
from lion_broker.mail.memory import MemoryExchange
from lion_broker.mail.records import Entry
from lion_broker.mail.wire import Header, WireMail, encode_json

LIVED = 20_000
"""Mails that a branch has taken."""


@pytest.fixture
def session() -> Iterator[Session]:
    """A session in this process."""
    with Session(exchange=MemoryExchange(), delivery="auto") as session:
        yield session


def test_a_mail_arrives_without_a_look_at_all_earlier_ones(session: Session) -> None:
    """Nothing of the size of the history is made to tell whether a mail is known."""
    one: Branch = session.new_branch(name="one")
    host = one._host
    assert host is not None
    host.known.update(IDType.create() for _ in range(LIVED))
    header = Header(session.id, session.id, one.id, "node_id")
    entry = Entry("1-1", WireMail(header, encode_json({"item": str(one.id)}, "item")))
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        host.arrive(entry)
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert len(one.mailbox.incoming(session.id)) == 1
    assert peak < LIVED


def test_the_id_of_a_mail_that_became_a_message_is_kept_once(session: Session) -> None:
    """What protects from repeats holds the very ids that the messages have."""
    one: Branch = session.new_branch(name="one")
    for number in range(5):
        session.default_branch.send(one.id, "message", f"hello {number}")
    one.receive_all()
    session.flush()
    chronicle = Chronicle(session.id, one.id)
    run(session.exchange, chronicle.read_steps())
    assert len(chronicle.mails) == 5
    assert {id(mail) for mail in chronicle.mails} == {id(message.id) for message in chronicle.msgs.messages}
    host = one._host
    assert host is not None
    assert {id(mail) for mail in host.known} == {id(message.id) for message in one.messages}
