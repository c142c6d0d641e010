"""A batch's mail that sets out while the block goes on: in order, once, bounded, and what becomes of it is told."""

import asyncio
import os
from collections.abc import Iterator, Sequence
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from lion_broker import Branch, BranchClosed, BranchOwned, BrokerUnavailable, LeaseLost, MailboxFull, Session
from lion_broker.branch.batch import PIECE
from lion_broker.mail.mail import Mail
from lion_broker.mail.verbs import Dispatch, Post, Verb
from tests.doubles import Forgetful

SEVERAL = 2 * PIECE + PIECE // 4


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


def posted(session: Session) -> int:
    """How many mails the exchange has accepted."""
    return session.counters()["posted"]


def say(sender: Any, recipient: Any, count: int, first: int = 0) -> None:
    """Send numbered mails."""
    for number in range(first, first + count):
        sender.send(recipient, "message", str(number))


def heard(branch: Branch) -> list[str]:
    """What a branch of this process has got."""
    branch.receive_all()
    return [message.text for message in branch.messages]


def numbers(count: int) -> list[str]:
    """What is heard of numbered mails."""
    return [str(number) for number in range(count)]


@pytest.mark.parametrize("name", ["here", "there"])
def test_a_full_piece_sets_out(session: Session, name: str) -> None:
    """What is less than a piece waits for the end."""
    with session.batch():
        say(session.branches[name], session.default_branch, SEVERAL)
        assert posted(session) == 2 * PIECE
    assert heard(session.default_branch) == numbers(SEVERAL)


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["here", "there"])
async def test_without_blocking(session: Session, name: str) -> None:
    """The same with `asend`."""
    sender = session.branches[name]
    async with session.batch():
        for number in range(SEVERAL):
            await sender.asend(session.default_branch, "message", str(number))
        assert posted(session) == 2 * PIECE
    await session.default_branch.areceive_all()
    assert [message.text for message in session.default_branch.messages] == numbers(SEVERAL)


def test_a_large_block_takes_no_more_memory(session: Session) -> None:
    """However many mails go through it, no more than a piece of them waits here."""
    here, most = session.branches["here"], 0
    with session.batch():
        for number in range(20 * PIECE):
            here.send("there", "message", str(number))
            most = max(most, len(here.mailbox))
    assert (most, len(here.mailbox), posted(session)) == (PIECE - 1, 0, 20 * PIECE)


def test_large_mails_make_a_piece(session: Session) -> None:
    """A piece is full with a mebibyte, too."""
    here = session.branches["here"]
    with session.batch():
        for _ in range(30):
            here.send("there", "message", "x" * 60_000)
        assert 0 < posted(session) < 30
    assert posted(session) == 30


def test_manual_mail_waits_for_its_round(exchange: Forgetful) -> None:
    """A branch of this process keeps it in its outbox, whatever the batch."""
    with Session(exchange=exchange) as session:
        ben = session.new_branch(name="ben")
        with session.batch():
            say(session.default_branch, ben, SEVERAL)
        assert len(session.default_branch.mailbox) == SEVERAL
        session.collect_send_all(receive_all=True)
        assert [message.text for message in ben.messages] == numbers(SEVERAL)


@pytest.mark.parametrize("fault", ["loses", "misses"])
@pytest.mark.parametrize(("name", "verb"), [("here", Dispatch), ("there", Post)])
def test_a_piece_that_gets_no_answer(
    session: Session, exchange: Forgetful, name: str, verb: type[Verb[Any]], fault: str
) -> None:
    """It is asked for again, with what was sent after it, when the block ends: nothing is lost, nothing comes twice."""
    with session.batch():
        say(session.branches[name], session.default_branch, PIECE)
        setattr(exchange, fault, verb)
        say(session.branches[name], session.default_branch, SEVERAL, PIECE)
        assert getattr(exchange, fault) is None
    assert heard(session.default_branch) == numbers(PIECE + SEVERAL)


def test_no_answer_at_the_end_either(session: Session, exchange: Forgetful) -> None:
    """The mail is kept, and goes with the next command; the next batch begins with it."""
    here = session.branches["here"]

    def write() -> None:
        with session.batch():
            exchange.loses = Dispatch
            say(here, session.default_branch, SEVERAL)
            exchange.misses = Dispatch

    with pytest.raises(BrokerUnavailable):
        write()
    with session.batch():
        say(here, session.default_branch, SEVERAL, SEVERAL)
        assert posted(session) >= PIECE
    assert heard(session.default_branch) == numbers(2 * SEVERAL)


@pytest.mark.parametrize("name", ["here", "there"])
def test_a_mailbox_that_is_full(exchange: Forgetful, name: str) -> None:
    """Its mail is dropped and that is told at the end, by its name; mail to others goes, in order."""
    with Session(exchange=exchange, delivery="auto", mailbox_limit=PIECE) as session:
        session.new_branch(name="here")
        session.new_branch(name="there", pool="p")
        full = session.new_branch(name="full", pool="p")
        say(session.branches["here"], full, PIECE)
        sender, after = session.branches[name], []

        def write() -> None:
            with session.batch():
                say(sender, full, 1)
                say(sender, session.default_branch, PIECE - 1)
                after.append(posted(session))
                say(sender, full, 1)

        with pytest.raises(MailboxFull, match=full.id if name == "there" else "full"):
            write()
        assert posted(session) == 2 * PIECE - 1
        assert after == [PIECE]
        assert heard(session.default_branch) == numbers(PIECE - 1)


def test_a_lease_that_is_lost(exchange: Forgetful) -> None:
    """Mail from then on is void; that is told at the end, also when nothing is left then."""
    with Session(exchange=exchange, delivery="auto") as session:
        here = session.new_branch(name="here")

        def write() -> None:
            with session.batch():
                say(here, session.default_branch, PIECE)
                exchange._store.find(session.id, here.id)[1].token = "another"  # type: ignore[index]
                say(here, session.default_branch, PIECE, PIECE)
                assert len(here.mailbox) == 0

        with pytest.raises(LeaseLost):
            write()
        assert heard(session.default_branch) == numbers(PIECE)


class Counting(Forgetful):
    """Counts how often it is asked to send something."""

    sent = 0

    def call_all(self, verbs: Sequence[Verb[Any]], /) -> list[Any]:
        """Do the verbs."""
        self.sent += any(isinstance(verb, Dispatch) for verb in verbs)
        return super().call_all(verbs)


def test_a_session_that_is_deleted_meanwhile() -> None:
    """It is said that it is gone, and not asked again for every piece."""
    exchange = Counting()
    session = Session(exchange=exchange, delivery="auto")
    session.new_branch(name="here")

    def write() -> None:
        with session.batch():
            with Session.open(session.id, exchange=exchange) as other:
                other.delete()
            say(session.branches["here"], session.default_branch, 5 * PIECE)
            assert exchange.sent == 1

    with pytest.raises(LookupError, match="no session"):
        write()


def test_batches_in_batches(session: Session) -> None:
    """What was refused in an inner one is told by the one at whose end everything has gone."""
    gone = session.new_branch(name="gone", pool="p")
    there = session.branches["there"]

    def write() -> None:
        with session.batch():
            with session.batch():
                there.send(gone, "message", "hello")
                session.remove_branch(gone)
                say(there, session.default_branch, PIECE)
            assert posted(session) == 0
            say(there, session.default_branch, PIECE, PIECE)

    with pytest.raises(BranchClosed, match=gone.id):
        write()
    assert heard(session.default_branch) == numbers(2 * PIECE)


@pytest.mark.anyio
async def test_two_tasks_with_a_batch_each(session: Session) -> None:
    """They share the branch and the way: each task's mail arrives in its order."""
    here, home = session.branches["here"], session.default_branch

    async def write(name: str) -> None:
        async with session.batch():
            for number in range(SEVERAL):
                await here.asend(home, "message", f"{name}{number}")
                await asyncio.sleep(0)

    await asyncio.gather(*map(write, "abc"))
    await home.areceive_all()
    texts = [message.text for message in home.messages]
    for name in "abc":
        assert [text for text in texts if text[0] == name] == [f"{name}{number}" for number in range(SEVERAL)]


@pytest.mark.anyio
async def test_another_task_sends_at_once_meanwhile(session: Session) -> None:
    """It goes behind what the branch has sent before it, and nothing goes twice."""
    here, home = session.branches["here"], session.default_branch
    turn, done = anyio.Event(), anyio.Event()

    async def other() -> None:
        await turn.wait()
        await here.asend(home, "message", str(SEVERAL))
        done.set()

    async with anyio.create_task_group() as group:
        group.start_soon(other)
        await anyio.lowlevel.checkpoint()
        async with session.batch():
            say(here, home, SEVERAL)
            turn.set()
            await done.wait()
            assert posted(session) == SEVERAL + 1
            say(here, home, SEVERAL, SEVERAL + 1)
    await home.areceive_all()
    assert [message.text for message in home.messages] == numbers(2 * SEVERAL + 1)


def test_a_block_that_is_interrupted(session: Session) -> None:
    """What was sent before it is posted all the same, and the interruption is what is raised."""

    def write() -> None:
        with session.batch():
            say(session.branches["here"], session.default_branch, SEVERAL)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert heard(session.default_branch) == numbers(SEVERAL)


@pytest.mark.anyio
async def test_a_block_that_is_cancelled(session: Session) -> None:
    """The same for a task: it ends as cancelled, whatever was refused."""
    begun = anyio.Event()
    gone = session.new_branch(name="gone", pool="p")
    session.remove_branch(gone)

    async def write() -> None:
        async with session.batch():
            say(session.branches["here"], session.default_branch, SEVERAL)
            begun.set()
            await anyio.sleep_forever()

    task = asyncio.ensure_future(write())
    await begun.wait()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert heard(session.default_branch) == numbers(SEVERAL)


def test_a_session_that_is_closed_inside(session: Session, exchange: Forgetful) -> None:
    """What was sent before is stored; the end of the block says that the session is closed."""
    other = Session.open(session.id, exchange=exchange)
    mine = other.new_branch(name="mine")

    def write() -> None:
        with other.batch():
            say(mine, session.default_branch, SEVERAL)
            other.close()

    with pytest.raises(LookupError, match="closed here"):
        write()
    assert heard(session.default_branch) == numbers(SEVERAL)


def test_mail_that_is_taken_out_of_the_outbox(session: Session) -> None:
    """What has not set out can be taken back."""
    here = session.branches["here"]
    with session.batch():
        say(here, session.default_branch, PIECE + 10)
        first: Mail = here.mailbox.outgoing()[0]
        here.mailbox.exclude(first)
        say(here, session.default_branch, PIECE, PIECE + 10)
    expected = numbers(2 * PIECE + 10)
    expected.remove(str(PIECE))
    assert heard(session.default_branch) == expected


def test_a_forked_process(session: Session) -> None:
    """The child is told that the session is the parent's, and takes nothing of what is on its way."""
    here, home = session.branches["here"], session.default_branch
    reading, writing = os.pipe()
    with session.batch():
        say(here, home, SEVERAL)
        child = os.fork()
        if child == 0:  # pragma: no cover - in the child
            try:
                here.send(home, "message", "from the child")
            except BranchOwned:
                os.write(writing, b"owned")
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        say(here, home, SEVERAL, SEVERAL)
    assert os.read(reading, 100) == b"owned"
    assert heard(home) == numbers(2 * SEVERAL)


def test_received_mail_goes_with_it(session: Session) -> None:
    """What a branch has taken, and not yet stored, is stored with the first piece."""
    here, home = session.branches["here"], session.default_branch
    say(home, here, 3)
    with session.batch():
        here.receive_all()
        say(here, home, SEVERAL)
    assert session.counters()["applied"] == 3
    assert heard(home) == numbers(SEVERAL)


@pytest.mark.anyio
async def test_after_a_fault_nobody_tries_again_and_again(session: Session, exchange: Forgetful) -> None:
    """The rest of the block is held, and goes when it ends."""
    sender = session.branches["here"]
    async with session.batch():
        exchange.loses = Dispatch
        for number in range(5 * PIECE):
            await sender.asend(session.default_branch, "message", str(number))
        assert (len(sender.mailbox), posted(session)) == (5 * PIECE, PIECE)
    await session.default_branch.areceive_all()
    assert [message.text for message in session.default_branch.messages] == numbers(5 * PIECE)
