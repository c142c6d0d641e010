"""What a branch of a long life costs does not grow where that can be helped; counted, not timed."""

import tracemalloc
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from lion_broker import Branch, BranchOwned, Instruction, Registry, RoledMessage, Session
from lion_broker.branch.directory import Directory
from lion_broker.branch.host import Host
from lion_broker.branch.journal import Chronicle, Kind, copy_record, record_of
from lion_broker.branch.session_context import SessionContext
from lion_broker.core.ids import IDType
from lion_broker.mail.exchange import arun, run, together
from lion_broker.mail.memory import MemoryExchange
from lion_broker.mail.records import BranchSeed, Entry, Record
from lion_broker.mail.verbs import CreateBranch
from lion_broker.mail.wire import Header, WireMail, encode_json

LIVED = 100_000
"""Mails that a branch has taken: so many that a byte for each is more than what happens to be made beside the mail."""
PAGE = 1000
LONG = 3 * PAGE + 7


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
    for _ in range(LIVED):
        host.known.add(IDType.create())
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
    assert {id(mail) for mail in chronicle.mails.latest} == {id(message.id) for message in chronicle.msgs.messages}
    host = one._host
    assert host is not None
    assert {id(mail) for mail in host.known.latest} == {id(message.id) for message in one.messages}


def stored(session: Session, *records: Record, copies: str = "") -> str:
    """The id of a branch that begins with a log of these records."""
    seed = BranchSeed(IDType.create(), pool="p")
    session.exchange.call(CreateBranch(session.id, seed, records, copies=copies))
    return seed.id


def long_history(session: Session) -> str:
    """The id of a branch with a long log of mail, and a few things of its own."""
    body = encode_json({"item": Instruction.create(instruction="hello").to_dict()}, "item")
    mails = [Header(session.id, session.id, session.id, "message").encode() for _ in range(LONG)]
    said = record_of(Kind.MESSAGE, message=Instruction.create(instruction="mine").to_dict())
    return stored(session, said, *(Record(Kind.MAIL, body, head) for head in mails))


def copied_history(session: Session) -> str:
    """The id of a branch that was split off from one with a long log."""
    source = long_history(session)
    copy = copy_record(source, 1, session.id)
    return stored(session, copy, copies=source)


def hosted(session: Session, branch: str) -> Host:
    """A host of a branch that has not been read."""
    context = SessionContext(session.exchange, session.id, Directory(session.id), Registry(), "owner")
    host = Host(Branch(id=branch), context, token="token", pool="p")
    host.attach()
    return host


@pytest.mark.anyio
@pytest.mark.parametrize("history", [long_history, copied_history])
async def test_a_long_history_is_read_in_steps(session: Session, history: Any) -> None:
    """Others on the event loop have their turn after each page of a thousand records."""
    host = hosted(session, history(session))
    seen = [0]

    async def watch() -> None:
        while seen[-1] <= LONG:
            seen.append(len(host.branch.messages))
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as group:
        group.start_soon(watch)
        await arun(session.exchange, host.load_steps())
    assert seen[-1] == LONG + 1
    assert max(after - before for before, after in pairwise(seen)) <= PAGE
    assert not host.dirty


def test_a_history_is_read_into_the_branch_itself(session: Session) -> None:
    """There is no second pile of its messages beside it, and what is changed afterwards is recorded."""
    host = hosted(session, long_history(session))
    chronicle = run(session.exchange, host.load_steps())
    assert chronicle.msgs is host.branch.msgs
    assert chronicle.logs is host.branch.logs
    assert len(host.known) == LONG
    with host.turns.enter():
        host.branch.messages.include(Instruction.create(instruction="new"))
    assert [record.kind for record in host._draft.records] == [Kind.MESSAGE]


def test_histories_are_read_side_by_side(session: Session) -> None:
    """Pauses of one do not stop the others."""
    branches = [
        long_history(session),
        copied_history(session),
        stored(session, record_of(Kind.TOOL, name="x", ref="x")),
    ]
    chronicles = [Chronicle(session.id, branch) for branch in branches]
    assert run(session.exchange, together([one.read_steps() for one in chronicles])) == [LONG + 1, 1, 1]
    assert [len(one.msgs.messages) for one in chronicles] == [LONG + 1, LONG + 1, 0]


def test_messages_of_mails_are_made_when_somebody_looks(session: Session) -> None:
    """A history is read, counted and put into a frame without them; one that is looked at is made alone."""
    far = session.get_branch(long_history(session))
    assert len(far.messages) == LONG + 1
    frame = session.to_df()
    assert sorted(frame["content"]) == ["hello"] * LONG + ["mine"]
    assert len(session.to_df(exclude_clone=True)) == 1

    def made() -> list[int]:
        kept = enumerate(far.chronicle.msgs.messages.tail(LONG + 1))
        return [place for place, one in kept if isinstance(one, RoledMessage)]

    assert made() == [0]
    last = far.messages[-1]
    assert (last.text, made()) == ("hello", [0, LONG])
    gathered = session.concat_messages()
    assert gathered[last.id] is last
    assert gathered.keys() == list(frame["id"])
    assert all(one is other for one, other in zip(far.messages, far.messages.values(), strict=True))
    with pytest.raises(BranchOwned):
        gathered[5].update(instruction="changed")
    assert far.messages[5].text == "hello"
