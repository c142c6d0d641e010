"""Errors of behaviours that nobody can write down, and errors of a seat itself: each costs its own branch only."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import pytest

from lion_broker import Branch, BranchError, ConfigError, Mail, Registry, Session, ToolError
from lion_broker.broker.connect import EmbeddedExchange
from lion_broker.mail.memory import MemoryExchange
from lion_broker.mail.records import Burial, Record
from lion_broker.mail.verbs import Commit, ReadSession, Verb
from lion_broker.testing import ScriptedModel
from tests.conftest import RunningWorker
from tests.stage import Stage

pytestmark = pytest.mark.anyio


@pytest.fixture
def registry() -> Registry:
    """Behaviours whose errors are hard to show, and one that is fine."""
    registry = Registry()

    @registry.behaviour("half", attempts=1)
    async def half(branch: Branch, mail: Mail) -> None:
        raise ValueError("a half \ud800 character")

    @registry.behaviour("mute", attempts=1)
    async def mute(branch: Branch, mail: Mail) -> None:
        raise Mute

    @registry.behaviour("endless", attempts=1)
    async def endless(branch: Branch, mail: Mail) -> None:
        raise RuntimeError("x" * 5_000_000)

    @registry.behaviour("echo")
    async def echo(branch: Branch, mail: Mail) -> None:
        branch.send(mail.sender, "message", "fine")

    registry.model("half", ScriptedModel(ValueError("a half \ud800 character")).imodel)
    registry.model("mute", ScriptedModel(Mute()).imodel)

    @registry.tool
    def broken() -> str:
        """Fail."""
        raise ValueError("a half \ud800 character")

    return registry


class Mute(Exception):
    """An error that fails to say what it is."""

    def __str__(self) -> str:
        raise RuntimeError("not even this")


@pytest.mark.redis
async def test_errors_that_nobody_can_write_down(
    stage: Stage, registry: Registry, running_worker: RunningWorker
) -> None:
    """Each becomes a dead letter whose detail is at most 2,000 characters long; another branch works on."""
    async with Session(exchange=stage.exchange, delivery="auto", timeout=100) as session:
        home = session.default_branch
        branches = [
            await session.anew_branch(name=name, pool="p", behaviour=name)
            for name in ("half", "mute", "endless", "echo")
        ]
        async with running_worker(registry, session.exchange, pool="p"):
            for _ in range(2):
                async with session.batch():
                    for branch in branches:
                        await home.asend(branch, "message", "go")
                await session.await_idle()
            await home.areceive_all()
        assert [message.text for message in home.messages] == ["fine", "fine"]
        details = {session.branches[letter.branch].name: letter.detail for letter in session.dead_letters}
        assert details["half"] == "ValueError: a half \\ud800 character"
        assert details["mute"] == "Mute: <Mute that cannot be shown>"
        assert details["endless"].endswith("x … (cut; it has 5,000,014 characters)")
        assert len(details["endless"]) == 2_000
        assert len(session.dead_letters) == 6


@pytest.mark.redis
async def test_a_fault_that_nobody_can_write_down(
    stage: Stage, registry: Registry, running_worker: RunningWorker
) -> None:
    """The error of an operation is raised by whoever asked for it, with what can be shown of its text."""
    async with Session(exchange=stage.exchange, timeout=100) as session:
        remote = await session.anew_branch(name="remote", pool="p", tools=["broken"])
        async with running_worker(registry, session.exchange, pool="p"):
            with pytest.raises(BranchError, match=r"^Mute: <Mute that cannot be shown>"):
                await remote.communicate("hello", chat_model="mute")
            with pytest.raises(ValueError, match=r"^a half \\ud800 character"):
                await remote.communicate("hello", chat_model="half")
            with pytest.raises(ToolError, match=r"broken: ValueError: a half \\ud800 character"):
                await remote.invoke_action({"function": "broken", "arguments": {}})


class Faulty(MemoryExchange):
    """Breaks, in a way that is none of the package's, at the commit of one branch."""

    branch = ""

    async def acall_all(self, verbs: Sequence[Verb[Any]], /, **way: Any) -> list[Any]:
        """Do the verbs, or break."""
        if any(isinstance(verb, Commit) and verb.branch == self.branch for verb in verbs):
            raise RuntimeError("nobody has thought of this")
        return await super().acall_all(verbs, **way)


async def test_a_seat_that_fails(
    registry: Registry, running_worker: RunningWorker, caplog: pytest.LogCaptureFixture
) -> None:
    """Its branch is left, with a traceback in the log; the worker serves the others."""
    exchange = Faulty()
    async with Session(exchange=exchange, delivery="auto", timeout=100) as session:
        bad, good = [await session.anew_branch(name=name, pool="p", behaviour="echo") for name in ("bad", "good")]
        exchange.branch = bad.id
        with caplog.at_level(logging.ERROR, "lion_broker"):
            async with running_worker(registry, exchange, pool="p", lease=60):
                await session.default_branch.asend(bad, "message", "go")
                await session.default_branch.asend(good, "message", "go")
                while not session.counters()["applied"]:  # noqa: ASYNC110 - a turn of the event loop is no sleep
                    await asyncio.sleep(0)
        (record,) = caplog.records
        assert record.getMessage() == f"branch {bad.id} was left"
        assert record.exc_info is not None
        assert bad.record.waiting == 1


@pytest.mark.redis
async def test_what_shares_a_round_trip(exchange: EmbeddedExchange) -> None:
    """A verb that cannot be written as bytes fails for its own caller; those beside it are answered."""
    burial = Burial("1-1", "\ud800", "")
    broken = Commit("s", "b", "t", "0-0", "1-1", 0, (Record("took", b"{}"),), buried=(burial,))
    good = ReadSession("s")
    verbs = [good, good, broken, good]
    answers = await asyncio.gather(*(exchange.acall(verb) for verb in verbs), return_exceptions=True)
    assert [answers[0], answers[1], answers[3]] == [None] * 3
    assert isinstance(answers[2], ConfigError)
