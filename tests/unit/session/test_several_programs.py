"""Two programs, two threads or two processes that share a session."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import anyio
import pytest

from lion_broker import BaseBranch, Branch, BranchClosed, BranchOwned, ItemNotFoundError, RemoteBranch, Session
from lion_broker.mail.exchange import Exchange
from lion_broker.mail.mailbox import Mailbox

both = pytest.mark.parametrize("exchange", ["memory", "embedded"], indirect=True)


@pytest.fixture
def session(exchange: Exchange) -> Iterator[Session]:
    """A session with two branches."""
    with Session(exchange=exchange) as session:
        session.new_branch(name="ada")
        session.new_branch(name="ben")
        yield session


@pytest.fixture
def other(session: Session) -> Iterator[Session]:
    """The same session as another program has it."""
    with Session.open(session.id, exchange=session.exchange) as other:
        yield other


def texts(branch: BaseBranch) -> list[str]:
    """What the messages of a branch say."""
    return [message.text for message in branch.messages]


@both
def test_a_branch_that_was_mailed_first_is_found(session: Session, other: Session) -> None:
    """Knowing where mail for it goes does not hide a branch of another program."""
    other.new_branch(name="new")
    session.branches["ada"].send("new", "message", "hello")
    assert session.get_branch("new").name == "new"
    session.send(to_="new")
    other.branches["new"].receive_all()
    assert texts(other.branches["new"]) == ["hello"]


@both
def test_what_others_made_is_gathered(session: Session, other: Session) -> None:
    """All branches are those that other programs have made since, and no more those that they have removed."""
    new = other.new_branch(name="new")
    new.send("new", "message", "to myself")
    other.collect_send_all(receive_all=True)
    assert [message.text for message in session.concat_messages()] == ["to myself"]
    assert list(session.to_df()["branch"]) == ["new"]
    other.remove_branch(new)
    assert len(session.concat_messages()) == 0
    assert session.get_branch("new", None) is None


@both
def test_a_split_of_a_foreign_branch_lives_here(session: Session, other: Session) -> None:
    """Its copy is hosted by whoever split it off, with the messages as clones."""
    session.branches["ada"].send("ben", "message", "hello")
    session.collect_send_all(receive_all=True)
    copy = other.split("ben")
    assert isinstance(copy, Branch)
    assert texts(copy) == ["hello"]
    assert all(message.is_clone() for message in copy.messages)
    copy.send("ada", "message", "from the copy")
    other.collect_send_all()
    session.branches["ada"].receive_all()
    assert texts(session.branches["ada"]) == ["from the copy"]


@both
def test_a_picture_is_not_written_on(session: Session, other: Session) -> None:
    """What is read of a branch elsewhere cannot be changed, for the change would be lost."""
    far = other.branches["ada"]
    assert isinstance(far, RemoteBranch)
    with pytest.raises(BranchOwned, match="lives elsewhere"):
        far.messages.include(session.branches["ada"].msgs.create_instruction("hello"))
    with pytest.raises(BranchOwned):
        far.logs.log("hello")
    assert (len(far.messages), len(far.logs)) == (0, 0)
    session.branches["ada"].extend([session.branches["ada"].msgs.create_instruction("said there")])
    session.flush()
    assert texts(far) == ["said there"]


@both
@pytest.mark.parametrize("delivery", ["manual", "auto"])
def test_mail_after_the_end_is_refused(exchange: Exchange, delivery: str) -> None:
    """Of a closed session, a deleted one, and a removed branch: nothing is accepted that nobody would send."""
    session = Session(exchange=exchange, delivery=delivery)
    ada, ben, far = (session.new_branch(name=name, pool=pool) for name, pool in
                     (("ada", None), ("ben", None), ("far", "p")))  # fmt: skip
    session.remove_branch(ben)
    session.remove_branch(far)
    for removed in (ben, far):
        with pytest.raises(BranchClosed):
            removed.send(ada, "message", "too late")
    session.close()
    with pytest.raises(BranchClosed, match="session is closed here"):
        ada.send(ada, "message", "too late")
    with pytest.raises((BranchClosed, ItemNotFoundError)):
        far.send(ada, "message", "too late")


@both
def test_threads_share_a_session(session: Session) -> None:
    """Sends and receives of several threads take turns: each mail once, in its sender's order, nothing broken."""
    ada, ben = session.branches["ada"], session.branches["ben"]
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for round_ in range(10):
                ada.send(ben, "message", f"{number}:{round_}")
                session.collect_send_all()
                ben.receive_all()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    session.collect_send_all(receive_all=True)
    assert errors == []
    said = texts(ben)
    assert sorted(said) == sorted(f"{number}:{round_}" for number in range(4) for round_ in range(10))
    for number in range(4):
        assert [text for text in said if text.startswith(f"{number}:")] == [f"{number}:{n}" for n in range(10)]


@pytest.mark.redis
def test_a_forked_process_leaves_the_session_alone(session: Session) -> None:
    """It is told to open the session anew, its end takes nothing from the parent, and no mail gets lost."""
    ada, ben = session.branches["ada"], session.branches["ben"]
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - in the child
        try:
            ada.send(ben, "message", "from the child")
        except BranchOwned as error:
            os.write(writing, str(error).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert b"Session.open(id)" in os.read(reading, 4096)
    ada.send(ben, "message", "from the parent")
    session.collect_send_all(receive_all=True)
    assert texts(ben) == ["from the parent"]


@pytest.mark.anyio
async def test_a_batch_holds_nobody_elses_mail(exchange: Exchange) -> None:
    """Mail that another task sends meanwhile is stored when its send returns; tasks started inside are held."""
    async with Session(exchange=exchange, delivery="auto") as session:
        ada, ben = [await session.anew_branch(name=name) for name in ("ada", "ben")]
        inside, done = anyio.Event(), anyio.Event()
        counts: list[int] = []

        async def other() -> None:
            await inside.wait()
            await ben.asend(ada, "message", "at once")
            counts.append(session.counters()["posted"])
            done.set()

        async with anyio.create_task_group() as group:
            group.start_soon(other)
            await anyio.lowlevel.checkpoint()
            async with session.batch():
                await ada.asend(ben, "message", "later")
                inside.set()
                await done.wait()
                async with anyio.create_task_group() as within:
                    within.start_soon(ada.asend, ben, "message", "later too")
                counts.append(session.counters()["posted"])
        assert [*counts, session.counters()["posted"]] == [1, 1, 3]


def test_a_full_outbox_costs_no_more_a_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many mails wait, each is looked for a bounded number of times, and not once for every commit."""
    looked: list[object] = []
    contains = Mailbox.__contains__

    def counted(self: Mailbox, mail: object) -> bool:
        looked.append(mail)
        return contains(self, mail)

    monkeypatch.setattr(Mailbox, "__contains__", counted)
    with Session(exchange="memory://") as session:
        ada, ben = session.new_branch(name="ada"), session.new_branch(name="ben")
        for number in range(3000):
            ada.send(ben, "message", str(number))
        session.collect_send_all(receive_all=True)
        assert texts(ben) == [str(number) for number in range(3000)]
        assert len(looked) <= 2 * 3000
