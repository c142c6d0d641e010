"""The behaviours that every registry has."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from lion_broker import Branch, Mail, Node, Registry, Session
from lion_broker.mail.memory import MemoryExchange
from lion_broker.testing import ScriptedModel, tool_calls
from tests.conftest import RunningWorker

pytestmark = pytest.mark.anyio


@pytest.fixture
async def session() -> AsyncIterator[Session]:
    """A session with automatic delivery."""
    async with Session(exchange=MemoryExchange(), delivery="auto", timeout=100) as session:
        yield session


async def test_respond(session: Session, running_worker: RunningWorker) -> None:
    """An instruction is answered by the model, with the branch's tools, and the answer goes to who asked."""
    registry = Registry()
    model = ScriptedModel(tool_calls("hour"), "It is three.")
    registry.model("scripted", model.imodel)

    @registry.tool
    def hour() -> int:
        """Tell the hour."""
        return 3

    async with running_worker(registry, session.exchange, pool="p"):
        clock = await session.anew_branch(
            name="clock", pool="p", behaviour="respond", tools=["hour"], imodel="scripted", system="You are a clock."
        )
        home = session.default_branch
        await home.asend(clock, "message", "What time is it?")
        await session.await_idle()
        await home.areceive_all()
    assert [(message.text, message.sender) for message in home.messages] == [("It is three.", clock.id)]
    assert [message["role"] for message in model.requests[1].messages] == ["system", "user", "assistant", "tool"]
    assert len([message for message in clock.messages if message.text == "What time is it?"]) == 1


async def test_two_that_respond_do_not_talk_for_ever(session: Session, running_worker: RunningWorker) -> None:
    """An answer is kept and not answered; what is no message is done with."""
    registry = Registry()
    registry.model("scripted", ScriptedModel("Fine.", repeat=True).imodel)
    async with running_worker(registry, session.exchange, pool="p"):
        ada, ben = [
            await session.anew_branch(name=name, pool="p", behaviour="respond", imodel="scripted")
            for name in ("ada", "ben")
        ]
        await ada.asend(ben, "message", "How are you?")
        await ada.asend(ben, "node", Node(content="a leaf"))
        await session.await_idle()
    assert [message.text for message in ada.messages] == ["Fine."]
    assert [message.text for message in ben.messages] == ["How are you?", "Fine."]
    assert session.dead_letters == []


async def test_record(session: Session, running_worker: RunningWorker) -> None:
    """Messages join the history, and nothing is answered; a behaviour of one's own under the name goes before it."""
    registry = Registry()
    async with running_worker(registry, session.exchange, pool="p"):
        book = await session.anew_branch(name="book", pool="p", behaviour="record")
        await session.default_branch.asend(book, "message", "Note this.")
        await session.await_idle()
    assert [message.text for message in book.messages] == ["Note this."]
    assert session.counters()["posted"] == 1

    @registry.behaviour("record")
    async def mine(branch: Branch, mail: Mail) -> None:
        """Another one."""

    assert registry.resolve_behaviour("record").function is mine
