"""What a turn costs: the verbs that were asked for, and the server's own count of the commands that this took."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from lion_broker import Registry, Session
from lion_broker.branch.batch import PIECE
from lion_broker.broker.functions import FUNCTIONS
from lion_broker.mail.exchange import Exchange
from lion_broker.mail.verbs import Claim, Commit, Dispatch, ReadBranches, ReadReady, Renew, Verb
from tests.conftest import RunningWorker
from tests.stage import Stage

pytestmark = [pytest.mark.redis, pytest.mark.anyio]

MAILS, BATCH = 200, 10
OPENED = 1
"""The first worker of a pool opens it."""


class Meter:
    """Counts what an exchange is asked, and what its server does for it."""

    def __init__(self, exchange: Exchange, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
        self._client = stage.server.client
        self._ask, self._ask_later = exchange.call_all, exchange.acall_all
        self.verbs: Counter[type[Verb[Any]]] = Counter()
        self._before = self._calls()
        monkeypatch.setattr(exchange, "call_all", self._call_all)
        monkeypatch.setattr(exchange, "acall_all", self._acall_all)

    def _call_all(self, verbs: Sequence[Verb[Any]], /) -> list[Any]:
        self.verbs.update(map(type, verbs))
        return self._ask(verbs)

    async def _acall_all(self, verbs: Sequence[Verb[Any]], /, **way: Any) -> list[Any]:
        self.verbs.update(map(type, verbs))
        return await self._ask_later(verbs, **way)

    @property
    def functions(self) -> int:
        """How many verbs were asked for that are functions of the server's library; one of them only reads."""
        return sum(count for verb, count in self.verbs.items() if verb in FUNCTIONS or verb is ReadBranches)

    @property
    def calls(self) -> int:
        """How many functions the server was called for, by anybody."""
        return self._calls() - self._before

    def _calls(self) -> int:
        found = self._client.info("commandstats")
        return sum(int(found.get(f"cmdstat_{name}", {"calls": 0})["calls"]) for name in ("fcall", "fcall_ro"))


async def test_one_function_call_a_turn(
    stage: Stage, running_worker: RunningWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A burst costs one claim, and from then on each turn is one commit that brings the next mails with it."""
    async with Session(delivery="auto") as session:
        remote = await session.anew_branch(name="remote", pool="p")
        async with session.batch():
            for number in range(MAILS):
                await session.default_branch.asend(remote, "message", str(number))
        meter = Meter(session.exchange, stage, monkeypatch)
        async with running_worker(Registry(), session.exchange, pool="p", lease=60, batch=BATCH) as worker:
            await session.await_idle()
        assert (worker.state.mails, worker.state.turns) == (MAILS, MAILS // BATCH)
        assert meter.verbs[Claim] == 1
        assert meter.verbs[Commit] == MAILS // BATCH
        assert meter.calls == meter.functions + OPENED
        assert len(remote.messages) == MAILS


async def test_a_batch_of_what_waits(
    stage: Stage, running_worker: RunningWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came while nobody looked is sent in one call, and is one claim and one commit, however many mails it is."""
    async with Session(delivery="auto") as session:
        remote = await session.anew_branch(name="remote", pool="p")
        meter = Meter(session.exchange, stage, monkeypatch)
        async with session.batch():
            for number in range(PIECE - 1):
                await session.default_branch.asend(remote, "message", str(number))
        # The session's own leases are renewed when it is time, whatever else is done.
        assert meter.verbs - Counter({Renew: meter.verbs[Renew]}) == {Dispatch: 1}
        async with running_worker(Registry(), session.exchange, pool="p", lease=60) as worker:
            await session.await_idle()
        assert worker.state.turns == 1
        assert (meter.verbs[Claim], meter.verbs[Commit]) == (1, 1)
        assert meter.verbs[ReadReady] >= 1
        assert meter.calls == meter.functions + OPENED
