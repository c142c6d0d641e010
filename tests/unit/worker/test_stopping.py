"""What a worker does when the mail that it is at is stopped: it cancels that, has no effect, and the rest goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from lion_broker import Branch, Mail, OperationCancelled, Registry, RemoteBranch, Session
from lion_broker.mail.memory import MemoryExchange
from lion_broker.testing import await_until
from tests.conftest import RunningWorker
from tests.unit.worker.test_turns import text_of

pytestmark = pytest.mark.anyio

LEASE = 600.0
"""It does not end while a test runs: the branch goes on because the worker lets go of it."""


@dataclass
class Scene:
    """A session with a branch on a running worker, and what its behaviour has noted."""

    session: Session
    remote: RemoteBranch
    begun: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    cut: list[str] = field(default_factory=list)

    async def post(self, *items: str) -> None:
        """Send everything in one go."""
        async with self.session.batch():
            for item in items:
                await self.session.default_branch.asend(self.remote, "message", item)

    async def texts(self) -> list[str]:
        """What the branch has taken in."""
        await self.remote.sync()
        return [message.text for message in self.remote.messages]

    async def heard(self) -> list[str]:
        """What came back."""
        await self.session.default_branch.areceive_all()
        return [message.text for message in self.session.default_branch.messages]


@pytest.fixture
async def scene(running_worker: RunningWorker) -> AsyncIterator[Scene]:
    """Mails that begin with `slow` wait until they are cancelled; `stubborn` ones go on all the same."""
    registry, noted = Registry(), Scene(None, None)  # type: ignore[arg-type]

    @registry.behaviour("work", attempts=1)
    async def work(branch: Branch, mail: Mail) -> None:
        text = text_of(mail)
        noted.begun.append(text)
        branch.send(mail.sender, "message", f"re {text}")
        try:
            if text.startswith(("slow", "stubborn")):
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            noted.cut.append(text)
            if text.startswith("slow"):
                raise
        noted.ended.append(text)

    @registry.tool
    async def linger() -> str:
        """Wait for ever."""
        noted.begun.append("linger")
        await asyncio.Event().wait()
        return "never"

    exchange = MemoryExchange()
    async with (
        Session(exchange=exchange, delivery="auto", timeout=60) as session,
        running_worker(registry, exchange, pool="p", lease=LEASE),
    ):
        noted.session = session
        noted.remote = await session.anew_branch(name="far", pool="p", behaviour="work", tools=["linger"])
        yield noted


async def test_a_behaviour_is_cancelled(scene: Scene) -> None:
    """Within about a second; nothing that it did is kept, and what is behind it goes on, in its order."""
    await scene.post("one", "slow", "three", "four")
    await await_until(lambda: "slow" in scene.begun)
    done = await scene.session.astop_mail(branch=scene.remote, by="Ada")
    await scene.session.await_idle()
    (letter,) = scene.session.dead_letters
    assert (letter.reason, letter.attempts, list(done.letters.values())) == ("stopped", 1, [letter.id])
    assert scene.cut == ["slow"]
    assert await scene.texts() == ["one", "three", "four"]
    assert await scene.heard() == ["re one", "re three", "re four"]
    assert scene.begun.count("slow") == 1
    # What was done before it in its turn was done again, as after a crash, but counts no attempt.
    assert scene.ended[-2:] == ["three", "four"]
    assert (scene.session.counters()["redelivered"], scene.session.counters()["inflight"]) == (0, 0)


async def test_it_may_be_sent_again(scene: Scene) -> None:
    """The letter is retried like any other, and the worker begins it once more."""
    await scene.post("slow")
    await await_until(lambda: scene.begun)
    await scene.session.astop_mail(branch=scene.remote)
    await await_until(lambda: scene.cut)
    await scene.session.aretry_dead_letters()
    await await_until(lambda: scene.begun == ["slow", "slow"])
    assert (await scene.session.astop_mail(branch=scene.remote)).count == 1
    await await_until(lambda: scene.cut == ["slow", "slow"])


async def test_one_that_takes_no_notice(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """It comes to its end without any effect, which the log says, and then the branch goes on."""
    await scene.post("stubborn", "two")
    await await_until(lambda: scene.begun)
    assert (await scene.session.astop_mail(branch=scene.remote)).count == 1
    await scene.session.await_idle()
    assert await scene.texts() == ["two"]
    assert await scene.heard() == ["re two"]
    assert scene.cut == ["stubborn"]
    said = f"branch {scene.remote.id} is hosted elsewhere now, or its turn was stopped; what it did here has no effect"
    assert said in caplog.messages


async def test_an_operation_is_cancelled(scene: Scene) -> None:
    """Its caller hears who has stopped it, and the next operation is done."""
    asked = asyncio.create_task(_raised(lambda: scene.remote.invoke_action({"function": "linger", "arguments": {}})))
    await await_until(lambda: "linger" in scene.begun)
    assert (await scene.session.astop_mail(branch=scene.remote, by="Ada", reason="too dear")).count == 1
    error = await asked
    assert isinstance(error, OperationCancelled)
    assert str(error) == "Stopped by Ada: too dear."
    await scene.post("next")
    await scene.session.await_idle()
    assert await scene.texts() == ["next"]
    assert [letter.reason for letter in scene.session.dead_letters] == ["stopped"]


async def _raised(ask: Callable[[], Awaitable[Any]]) -> Exception | None:
    try:
        await ask()
    except Exception as error:
        return error
    return None


async def test_other_branches_go_on(scene: Scene) -> None:
    """Only the branch that is named is stopped."""
    other = await scene.session.anew_branch(name="other", pool="p", behaviour="work")
    await scene.session.default_branch.asend(other, "message", "slow other")
    await scene.post("slow")
    await await_until(lambda: len(scene.begun) == 2)
    await scene.session.astop_mail(branch=scene.remote)
    await await_until(lambda: scene.cut)
    assert scene.cut == ["slow"]
    assert other.record.leased
    assert (await scene.session.astop_mail(branch=other)).count == 1
    await await_until(lambda: len(scene.cut) == 2)
