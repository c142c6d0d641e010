"""A session's life: made, used from everywhere, closed, opened, deleted."""

import asyncio
import gc
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from lion_broker import (
    Branch,
    ConfigError,
    IDError,
    IDType,
    Instruction,
    ItemExistsError,
    ItemNotFoundError,
    RemoteBranch,
    Session,
)
from lion_broker.mail.memory import MemoryExchange
from lion_broker.mail.verbs import ListSessions


def test_what_it_is_made_of(exchange: MemoryExchange) -> None:
    """User, name and metadata of any JSON kind come back when it is opened; branches belong to the user."""
    metadata = {"project": "research", "created_at": datetime(2025, 1, 5, tzinfo=UTC), "tags": ["a"]}
    with Session(exchange=exchange, user="ada", name="main", metadata=metadata) as session:
        assert session.default_branch.user == "ada"
        with Session.open(session.id, exchange=exchange) as reader:
            assert (reader.user, reader.name) == ("ada", "main")
            assert reader.metadata == {**metadata, "created_at": "2025-01-05T00:00:00Z"}
            assert reader.created_at == session.created_at
            assert reader.default_branch.user == "ada"


@pytest.mark.parametrize("wrong", [{"delivery": "pigeon"}, {"colour": "red"}, {"exchange": "nonsense"}], ids=str)
def test_what_makes_no_session(wrong: dict[str, Any]) -> None:
    """A ValueError, and nothing was made."""
    exchange = MemoryExchange()
    with pytest.raises(ValueError):  # noqa: PT011 - any of them
        Session(**{"exchange": exchange, **wrong})
    assert exchange.call(ListSessions()) == ()


def test_an_id_is_given_once(session: Session, exchange: MemoryExchange) -> None:
    """A second session of the same id is an error that says how to have the first."""
    with pytest.raises(ItemExistsError, match=r"Session\.open"):
        Session(exchange=exchange, id=session.id)


def test_the_delivery_is_kept(exchange: MemoryExchange) -> None:
    """Whoever opens it has the same."""
    with Session(exchange=exchange, delivery="auto") as session, Session.open(session.id, exchange=exchange) as reader:
        assert reader.delivery == "auto"


CLOSED: dict[str, Callable[[Session], Any]] = {
    "new_branch": lambda session: session.new_branch(),
    "send": lambda session: session.send(),
    "collect_send_all": lambda session: session.collect_send_all(),
    "flush": lambda session: session.flush(),
    "messages": lambda session: session.messages,
    "dead_letters": lambda session: session.dead_letters,
    "to_df": lambda session: session.to_df(),
    "wait_idle": lambda session: session.wait_idle(),
    "split": lambda session: session.split(session.branches[0]),
    "counters": lambda session: session.counters(),
}


@pytest.mark.parametrize("verb", CLOSED)
def test_a_closed_session(session: Session, verb: str) -> None:
    """Every verb says that it is closed and how to take it up; closing again is fine."""
    session.close()
    session.close()
    with pytest.raises(ItemNotFoundError, match=r"closed here.*Session\.open"):
        CLOSED[verb](session)


def test_a_session_that_there_is_not(exchange: MemoryExchange) -> None:
    """Unknown, deleted, or no id at all."""
    with pytest.raises(ItemNotFoundError, match="no session"):
        Session.open(IDType.create(), exchange=exchange)
    session = Session(exchange=exchange)
    session.delete()
    with pytest.raises(ItemNotFoundError, match=session.id):
        Session.open(session.id, exchange=exchange)
    with pytest.raises(IDError):
        Session.open("nonsense", exchange=exchange)
    assert exchange.call(ListSessions()) == ()


def test_an_option_that_there_is_not(session: Session, exchange: MemoryExchange) -> None:
    """A misspelt option of `open` is an error of this package."""
    with pytest.raises(ConfigError, match="colour"):
        Session.open(session.id, exchange=exchange, colour="red")


def test_leaving_without_closing(exchange: MemoryExchange) -> None:
    """A session that is forgotten keeps what its branches did, and lets go of them."""

    def work() -> str:
        session = Session(exchange=exchange)
        session.new_branch(name="home").messages.include(Instruction.create(instruction="hello"))
        return session.id

    session_id = work()
    gc.collect()
    with Session.open(session_id, exchange=exchange, host=True) as session:
        home = session.branches["home"]
        assert isinstance(home, Branch)
        assert [message.text for message in home.messages] == ["hello"]


def test_taking_over_only_what_is_free(session: Session, ada: Branch, exchange: MemoryExchange) -> None:
    """While the first process lives its branches stay its own; afterwards they can be had."""
    with Session.open(session.id, exchange=exchange, host=True) as second:
        assert isinstance(second.branches["ada"], RemoteBranch)
    session.close()
    with Session.open(session.id, exchange=exchange, host=True) as third:
        assert isinstance(third.branches["ada"], Branch)
        assert isinstance(third.default_branch, Branch)


@pytest.mark.anyio
async def test_blocking_verbs_work_inside_a_running_loop(exchange: MemoryExchange) -> None:
    """They block for a moment, and do the same."""
    with Session(exchange=exchange) as session:
        ada = session.new_branch(name="ada")
        ada.send(ada, "message", "hello")
        session.collect_send_all(receive_all=True)
        assert len(session.split(ada).messages) == 1
        session.remove_branch(ada)


@pytest.mark.anyio
async def test_every_verb_has_a_twin(exchange: MemoryExchange) -> None:
    """The same with an `a` in front, without blocking the loop."""
    async with Session(exchange=exchange) as session:
        ada = await session.anew_branch(name="ada")
        await ada.asend("ada", "message", "hello")
        await session.acollect()
        await session.asend()
        await ada.areceive_all()
        other = await session.asplit(ada)
        await session.achange_default_branch(other)
        await session.amerge(other, ada)
        await session.aremove_branch(ada)
        await session.acollect_send_all(receive_all=True)
        await session.aflush()
        await session.await_idle()
        assert session.default_branch is other
        async with await Session.aopen(session.id, exchange=exchange) as reader:
            assert len(reader.branches) == 2


def test_one_loop_after_the_other(exchange: MemoryExchange) -> None:
    """A session is not bound to the event loop in which it was first used."""
    with Session(exchange=exchange) as session:
        ada = session.new_branch(name="ada")
        for _ in range(2):
            asyncio.run(ada.asend("ada", "message", "hello"))
            asyncio.run(session.acollect_send_all(receive_all=True))
        assert len(ada.messages) == 2


def test_threads(exchange: MemoryExchange) -> None:
    """Each thread with a branch of its own."""
    with Session(exchange=exchange, delivery="auto") as session:
        home = session.default_branch
        writers = [session.new_branch(name=f"w{number}") for number in range(4)]

        def write(branch: Branch) -> None:
            for number in range(25):
                branch.send(home, "message", f"{number}")

        threads = [threading.Thread(target=write, args=(writer,)) for writer in writers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        home.receive_all()
        assert len(home.messages) == 100


@pytest.mark.anyio
async def test_sources_keep_other_tasks_out(session: Session, ada: Branch) -> None:
    """And let the holder do everything, also the asynchronous commands, and enter again."""
    order = []

    async def somebody_else() -> None:
        await session.acollect_send_all()
        order.append("somebody else")

    async with session.mail_manager.sources:
        waiting = asyncio.ensure_future(somebody_else())
        ada.send(ada, "message", "hello")
        session.collect_send_all(receive_all=True)
        await session.acollect_send_all(receive_all=True)
        async with session.mail_manager.sources:
            order.append("holder")
        assert session.mail_manager.sources is session.branches
    await waiting
    assert order == ["holder", "somebody else"]
    assert len(ada.messages) == 1
