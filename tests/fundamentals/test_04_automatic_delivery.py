"""With automatic delivery mail needs no commands: what is sent is on its way."""

import pytest

from lion_broker import Registry, Session
from tests.conftest import RunningWorker

pytestmark = [pytest.mark.redis, pytest.mark.anyio]


async def test_mail_goes_at_once() -> None:
    """A sent mail leaves the outbox and waits in the recipient's mailbox."""
    async with Session(delivery="auto") as session:
        ada, ben = session.new_branch(name="ada"), session.new_branch(name="ben")
        await ada.asend(ben, "message", "Hello, Ben.")
        assert len(ada.mailbox) == 0
        await ben.areceive_all()
        assert [message.text for message in ben.messages] == ["Hello, Ben."]


async def test_a_branch_on_a_worker_takes_it_at_once(running_worker: RunningWorker) -> None:
    """A worker that serves the pool handles it without being asked; `wait_idle` waits until all is quiet."""
    async with Session(delivery="auto") as session:
        ben = await session.anew_branch(name="ben", pool="readers")
        async with running_worker(Registry(), session.exchange, pool="readers"):
            await session.default_branch.asend(ben, "message", "Hello, Ben.")
            await session.await_idle()
        assert [message.text for message in ben.messages] == ["Hello, Ben."]
