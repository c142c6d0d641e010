"""Plain texts that go to bytes at once: the same bytes, errors and order as by the way that all else takes."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from lion_broker import Branch, IDType, Instruction, NotPortable, Session
from lion_broker.branch.host import Host
from lion_broker.branch.items import encode_item
from lion_broker.branch.texts import TextWriter
from lion_broker.mail.memory import MemoryExchange
from lion_broker.mail.package import PackageCategory
from lion_broker.mail.strict_json import read_json
from lion_broker.mail.wire import Header, WireMail, decode_header

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200)
ADA, BEN = IDType.create(), IDType.create()


@pytest.fixture
def session() -> Iterator[Session]:
    """A session whose mail waits."""
    with Session(exchange=MemoryExchange()) as session:
        yield session


def waiting(branch: Branch) -> list[WireMail]:
    """What waits for the next commit."""
    host: Host | None = branch._host
    assert host is not None
    return host._draft.mails


@given(
    texts,
    st.none() | st.text(st.sampled_from('ab"\\é'), min_size=1),
    st.sampled_from([None, f"00-{1:032x}-{2:016x}-01"]),
)
def test_the_bytes_are_those_of_the_long_way(text: str, cause: str | None, trace: str | None) -> None:
    """Body and header are written as values would be, and strict readers take them."""
    writer = TextWriter("s", ADA)
    body = writer.body(text)
    assert body is not None
    assert read_json(body, "body") == {"item": text}
    assert body == to_json({"item": text}) == encode_item(PackageCategory.MESSAGE, text, None, "", None)
    mail_id = IDType.create()
    wire = writer.mail(BEN, mail_id, body, 7, cause, {} if trace is None else {"traceparent": trace})
    header = wire.header
    assert header == Header("s", ADA, BEN, "message", mail_id, header.created, 7, None, trace, in_reply_to=cause)
    assert wire == WireMail(header, body)
    assert decode_header(wire.head) == header


def test_what_a_trace_hands_over_travels_too() -> None:
    """With more than its parent the header is written as any other."""
    wire = TextWriter("s", ADA).mail(
        BEN, IDType.create(), b"1", 1, None, {"traceparent": "00-a-b-01", "baggage": "c=d"}
    )
    assert (wire.header.traceparent, wire.header.baggage) == ("00-a-b-01", "c=d")
    assert decode_header(wire.head) == wire.header


@pytest.mark.parametrize("item", ["", "\ud800", "x" * 8193, b"bytes", 1, None, Instruction.create("hello")], ids=str)
def test_what_is_no_small_text_takes_the_long_way(item: Any) -> None:
    """It is not written here; what is wrong with it is said there."""
    assert TextWriter("s", ADA).body(item) is None


def test_errors_come_from_send(session: Session) -> None:
    """As ever, and nothing waits afterwards."""
    ada, ben = session.new_branch(name="ada"), session.new_branch(name="ben")
    with pytest.raises(NotPortable):
        ada.send(ben, "message", "half a character: \ud800")
    with pytest.raises(ValueError, match="empty text"):
        ada.send(ben, "message", "")
    with pytest.raises(ValueError, match="Invalid value for category"):
        ada.send(ben, "massage", "hello")
    with pytest.raises(ValueError, match="no branch named"):
        ada.send("nobody", "message", "hello")
    session.new_branch(name="ben")
    with pytest.raises(ValueError, match="2 branches are named"):
        ada.send("ben", "message", "hello")
    assert (waiting(ada), len(ada.mailbox)) == ([], 0)


@pytest.mark.parametrize("how", ["object", "id", "text", "name"])
def test_recipients_by_any_reference(session: Session, how: str) -> None:
    """A branch, its id, the text of its id, its name."""
    ada, ben = session.new_branch(name="ada"), session.new_branch(name="ben")
    ada.send({"object": ben, "id": ben.id, "text": str(ben.id).upper(), "name": "ben"}[how], "message", "hello")
    assert [wire.header.recipient for wire in waiting(ada)] == [ben.id]


def test_texts_and_messages_keep_their_order(session: Session) -> None:
    """In the outbox and at the recipient, however each was written."""
    ada, ben = session.new_branch(name="ada"), session.new_branch(name="ben")
    for number in range(6):
        ada.send(ben, "message", f"{number}" if number % 2 else Instruction.create(f"{number}"))
    assert [wire.header.seq for wire in waiting(ada)] == [1, 2, 3, 4, 5, 6]
    assert list(ada.mailbox.pending_outs) == [wire.id for wire in waiting(ada)]
    session.collect_send_all(receive_all=True)
    assert [message.text for message in ben.messages] == ["0", "1", "2", "3", "4", "5"]
    assert len(ada.mailbox) == 0


def test_a_text_can_be_taken_back(session: Session) -> None:
    """Before anybody has looked at it, by the id that it has on the wire."""
    ada, ben = session.new_branch(name="ada"), session.new_branch(name="ben")
    for text in ("no", "yes"):
        ada.send(ben, "message", text)
    ada.mailbox.exclude(waiting(ada)[0].id)
    session.collect_send_all(receive_all=True)
    assert [message.text for message in ben.messages] == ["yes"]
