"""A behaviour is what a branch on a worker does with its mail: a coroutine function under a name."""

import pytest

from lion_broker import Branch, Mail, Registry, Session
from tests.conftest import RunningWorker

pytestmark = [pytest.mark.redis, pytest.mark.anyio]


@pytest.fixture
def registry() -> Registry:
    """A behaviour that answers, and one that hands on what it gets."""
    registry = Registry()

    @registry.behaviour("answer")
    async def answer(branch: Branch, mail: Mail) -> None:
        branch.logs.log("answered")
        branch.send(mail.sender, "message", f"You said: {mail.package.item.instruction}")

    @registry.behaviour("hand on")
    async def hand_on(branch: Branch, mail: Mail) -> None:
        branch.send(branch.metadata["next"], mail.category, mail.package.item)

    return registry


async def test_it_answers(running_worker: RunningWorker, registry: Registry) -> None:
    """What it sends, records and logs is committed with the mail that caused it, or not at all."""
    async with Session(delivery="auto") as session:
        far = await session.anew_branch(name="far", pool="p", behaviour="answer")
        home = session.default_branch
        async with running_worker(registry, session.exchange, pool="p"):
            await home.asend(far, "message", "Hello.")
            await session.await_idle()
        await home.areceive_all()
        assert [message.text for message in home.messages] == ["You said: Hello."]
        assert [message.text for message in far.messages] == ["Hello."]
        assert [str(entry) for entry in far.logs] == ["answered"]


async def test_branches_in_a_row(running_worker: RunningWorker, registry: Registry) -> None:
    """The metadata of a branch travel with it: here they name the next one of a chain."""
    async with Session(delivery="auto") as session:
        last = await session.anew_branch(name="last", pool="p")
        middle = await session.anew_branch(name="middle", pool="p", behaviour="hand on", metadata={"next": last.id})
        first = await session.anew_branch(name="first", pool="p", behaviour="hand on", metadata={"next": "middle"})
        async with running_worker(registry, session.exchange, pool="p"):
            await session.default_branch.asend(first, "message", "Pass it on.")
            await session.await_idle()
        assert [message.text for message in last.messages] == ["Pass it on."]
        assert last.messages[0].sender == middle.id
