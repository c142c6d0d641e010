"""A session that ends takes along what it was answered, and does not fail where that cannot be done."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from anyio import to_thread

from lion_broker import BrokerUnavailable, Registry, Session
from lion_broker.mail.memory import MemoryExchange
from lion_broker.mail.verbs import DropReplies, Verb
from tests.conftest import RunningWorker

pytestmark = pytest.mark.anyio


class Unreachable(MemoryExchange):
    """Nobody answers whoever wants replies to be dropped."""

    refused = 0

    def call_all(self, verbs: Sequence[Verb[Any]], /) -> list[Any]:
        """Do the verbs."""
        if any(isinstance(verb, DropReplies) for verb in verbs):
            self.refused += 1
            raise BrokerUnavailable("No server answers.")
        return super().call_all(verbs)


@pytest.mark.parametrize("end", [Session.close, Session.delete])
async def test_answers_that_stay_are_no_error(end: Callable[[Session], None], running_worker: RunningWorker) -> None:
    """The session is closed all the same; what its last commands were told expires on the server."""
    exchange = Unreachable()
    session = Session(exchange=exchange, delivery="auto")
    branch = await session.anew_branch(pool="p")
    async with running_worker(Registry(), exchange, pool="p"):
        await to_thread.run_sync(branch.clear_messages)
    end(session)
    assert exchange.refused == 1
    session.close()
