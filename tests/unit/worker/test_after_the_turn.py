"""What a behaviour leaves running: when its turn has ended, nothing more is sent or stored for it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from lion_broker import Branch, BranchError, Instruction, Mail, Registry, Session
from lion_broker.mail.exchange import Exchange
from tests.conftest import RunningWorker

pytestmark = pytest.mark.anyio

EXCHANGES = ["memory", pytest.param("embedded", marks=pytest.mark.redis)]
ENDED = "The turn has ended: nothing more is sent or stored"


class Loose:
    """A behaviour that starts a task and does not wait for it; the test says when it goes on.

    The first mail starts the task, the second one waits for `second` in its turn.
    """

    def __init__(self, act: Callable[[Branch, str], Awaitable[Any]]) -> None:
        self._act = act
        self.go, self.second, self.in_second = anyio.Event(), anyio.Event(), anyio.Event()
        self.tasks: list[asyncio.Task[Any]] = []
        self.registry = Registry()
        self.registry.behaviour("loose")(self.behave)

    async def behave(self, branch: Branch, mail: Mail) -> None:
        """Begin something at the first mail, wait at the second, and answer each."""
        if not self.tasks:
            self.tasks.append(asyncio.create_task(self._later(branch, mail.sender)))
        else:
            self.in_second.set()
            await self.second.wait()
        await branch.asend(mail.sender, "message", "in time")

    async def _later(self, branch: Branch, to: str) -> Any:
        await self.go.wait()
        return await self._act(branch, to)

    async def outcome(self) -> BaseException | None:
        """What became of the task."""
        await asyncio.wait(self.tasks)
        return self.tasks[0].exception()


async def say(branch: Branch, text: str) -> None:
    """Put a message into the history."""
    branch.messages.include(Instruction.create(instruction=text))


ACTS: dict[str, Callable[[Branch, str], Awaitable[Any]]] = {
    "asend": lambda branch, to: branch.asend(to, "message", "too late"),
    "send in a thread": lambda branch, to: asyncio.to_thread(branch.send, to, "message", "too late"),
    "a message": lambda branch, to: say(branch, "too late"),
    "a log entry": lambda branch, to: asyncio.to_thread(branch.logs.log, "too late"),
    "a tool": lambda branch, to: asyncio.to_thread(branch.register_tools, len),
    "receive": lambda branch, to: branch.areceive_all(),
}


async def texts(session: Session) -> list[str]:
    """What came home."""
    await session.await_idle()
    await session.default_branch.areceive_all()
    return [message.text for message in session.default_branch.messages]


@pytest.mark.parametrize("exchange", EXCHANGES, indirect=True)
@pytest.mark.parametrize("act", ACTS)
async def test_between_turns(exchange: Exchange, act: str, running_worker: RunningWorker) -> None:
    """The task gets an error that says so, and the next turn of the branch carries nothing of it."""
    loose = Loose(ACTS[act])
    loose.second.set()
    async with Session(exchange=exchange, delivery="auto", timeout=100) as session:
        remote = await session.anew_branch(name="remote", pool="p", behaviour="loose")
        async with running_worker(loose.registry, exchange, pool="p"):
            await session.default_branch.asend(remote, "message", "one")
            await session.await_idle()
            loose.go.set()
            error = await loose.outcome()
            assert isinstance(error, BranchError)
            assert ENDED in str(error)
            await session.default_branch.asend(remote, "message", "two")
            assert await texts(session) == ["in time", "in time"]
        await remote.sync()
        assert [message.text for message in remote.chronicle.msgs.messages] == ["one", "two"]
        assert (len(remote.chronicle.logs), remote.chronicle.tools) == (0, {})
        assert session.dead_letters == []


@pytest.mark.parametrize("exchange", EXCHANGES, indirect=True)
async def test_during_the_next_turn(exchange: Exchange, running_worker: RunningWorker) -> None:
    """Another turn of the same branch is not the one that it belongs to."""
    loose = Loose(ACTS["asend"])
    async with Session(exchange=exchange, delivery="auto", timeout=100) as session:
        remote = await session.anew_branch(name="remote", pool="p", behaviour="loose")
        async with running_worker(loose.registry, exchange, pool="p"):
            await session.default_branch.asend(remote, "message", "one")
            await session.await_idle()
            await session.default_branch.asend(remote, "message", "two")
            await loose.in_second.wait()
            loose.go.set()
            error = await loose.outcome()
            loose.second.set()
            assert isinstance(error, BranchError)
            assert await texts(session) == ["in time", "in time"]


@pytest.mark.parametrize("exchange", EXCHANGES, indirect=True)
async def test_what_a_turn_waits_for_belongs_to_it(running_worker: RunningWorker, exchange: Exchange) -> None:
    """Tasks and threads of a turn send and store as the behaviour itself does."""
    registry = Registry()

    @registry.behaviour("busy")
    async def busy(branch: Branch, mail: Mail) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(branch.asend(mail.sender, "message", "by a task"))
        await asyncio.to_thread(branch.send, mail.sender, "message", "by a thread")
        await asyncio.get_running_loop().run_in_executor(None, branch.send, mail.sender, "message", "by an executor")

    async with Session(exchange=exchange, delivery="auto", timeout=100) as session:
        remote = await session.anew_branch(name="remote", pool="p", behaviour="busy")
        async with running_worker(registry, exchange, pool="p"):
            await session.default_branch.asend(remote, "message", "one")
            assert await texts(session) == ["by a task", "by a thread", "by an executor"]
        assert session.dead_letters == []
