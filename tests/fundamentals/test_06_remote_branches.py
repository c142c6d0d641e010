"""A branch with a pool lives on whatever worker serves that pool; what you hold has the same verbs."""

import pytest

from lion_broker import Registry, RemoteBranch, Session, iModel
from tests.conftest import RunningWorker

pytestmark = [pytest.mark.redis, pytest.mark.anyio]


@pytest.fixture
def registry() -> Registry:
    """What the workers can do."""
    registry = Registry()
    registry.model("quote", iModel("offline", "extractive"))
    return registry


async def test_the_same_verbs(running_worker: RunningWorker, registry: Registry) -> None:
    """Mail, rounds and operations as with a branch of this process."""
    async with Session() as session:
        far = await session.anew_branch(name="far", pool="readers", system="Quote.", imodel="quote")
        assert isinstance(far, RemoteBranch)
        await session.default_branch.asend(far, "message", "Good morning.")
        async with running_worker(registry, session.exchange, pool="readers"):
            await session.acollect_send_all(receive_all=True)
            answer = await far.communicate("What is a lion?", context=["A lion is a large cat."])
        assert "A lion is a large cat." in answer
        await far.sync()
        assert [message.role for message in far.messages] == ["system", "user", "user", "assistant"]


async def test_it_needs_no_worker_to_be_made_and_mailed() -> None:
    """Whether a worker runs now or in an hour: the mail waits."""
    async with Session(delivery="auto") as session:
        far = await session.anew_branch(name="far", pool="readers")
        await session.default_branch.asend(far, "message", "For later.")
        assert session.counters()["inflight"] == 1
        assert len(far.messages) == 0


async def test_a_round_without_a_worker_says_so() -> None:
    """A command that waits for workers gives up after the session's timeout, and loses nothing."""
    async with Session(timeout=0.05) as session:
        far = await session.anew_branch(name="far", pool="readers")
        await session.default_branch.asend(far, "message", "For later.")
        with pytest.raises(TimeoutError, match="Is a worker running"):
            await session.acollect_send_all(receive_all=True)
        assert session.counters()["inflight"] == 1
