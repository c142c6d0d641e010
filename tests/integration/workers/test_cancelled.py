"""Whoever stops waiting for an operation stops it on its worker."""

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path

import anyio
import pytest

from lion_broker import RemoteBranch, RoundTimeout, Session
from lion_broker.testing import FakeModelServer, await_until
from tests.stage import Stage

pytestmark = [pytest.mark.redis, pytest.mark.processes, pytest.mark.anyio]


@pytest.fixture
def server() -> Iterator[FakeModelServer]:
    """The model's server."""
    with FakeModelServer() as server:
        yield server


@pytest.fixture
async def branch(stage: Stage, server: FakeModelServer, tmp_path: Path) -> AsyncIterator[RemoteBranch]:
    """A branch on a worker process."""
    stage.worker("tests.apps.thinkers:registry", "p", lease=60.0, MODEL_URL=server.url, DESK=str(tmp_path)).ready()
    async with Session(exchange=stage.exchange, timeout=100) as session:
        yield await session.anew_branch(name="ada", pool="p", tools=["note"], imodel="far")


async def test_a_cancelled_task(branch: RemoteBranch, server: FakeModelServer) -> None:
    """The worker hangs up on the model, and the branch is free for the next question."""
    server.delays(60)
    async with anyio.create_task_group() as group:
        group.start_soon(branch.communicate, "Hello?")
        await await_until(lambda: server.requests)
        group.cancel_scope.cancel()
    await await_until(lambda: server.abandoned)
    server.delays(0).says("Here I am.")
    assert await branch.communicate("Are you there?") == "Here I am."
    await branch.sync()
    assert [message.text for message in branch.messages] == ["Are you there?", "Here I am."]


async def test_a_timeout(branch: RemoteBranch, server: FakeModelServer) -> None:
    """It says what took too long, and the operation is stopped as well."""
    server.delays(60)
    seconds = 0.25
    while not server.requests:  # what times out before the model was asked is not begun at all
        seconds *= 2
        with pytest.raises(RoundTimeout, match=f"communicate on ada was not answered in {seconds:g} s"):
            await branch.communicate("Hello?", timeout=seconds)
    await await_until(lambda: server.abandoned)


async def test_a_command_that_waits(branch: RemoteBranch, server: FakeModelServer) -> None:
    """What was cancelled before its turn came is not begun at all."""
    server.delays(60)
    async with anyio.create_task_group() as group:
        group.start_soon(branch.communicate, "first")
        await await_until(lambda: server.requests)
        with pytest.raises(RoundTimeout):
            await branch.communicate("second", timeout=0.2)
        group.cancel_scope.cancel()
    server.delays(0).says("third answer")
    assert await branch.communicate("third") == "third answer"
    assert len(server.requests) == 2


async def test_a_stream_that_is_left(branch: RemoteBranch, server: FakeModelServer) -> None:
    """Leaving the loop ends the stream at its source, and nothing of it is kept."""
    server.falls_silent(after=2).says("Hello.")
    async with aclosing(branch.stream("Count.")) as pieces:
        assert await anext(pieces)
    await await_until(lambda: server.abandoned)
    assert await branch.communicate("Hello?") == "Hello."
    await branch.sync()
    assert len(branch.messages) == 2
