"""Workers as processes of one duty: they start, share, stop, and pick up where others left."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from lion_broker import Branch, BrokerUnavailable, ConfigError, Mail, ModelError, Registry, Session, Worker
from lion_broker.broker.leases import LeaseKeeper
from lion_broker.mail.memory import MemoryExchange, pool, store
from lion_broker.mail.verbs import Cancel, Claim, ReadBranches, ReadReady, Release, Renew, Station, Verb
from lion_broker.testing import wait_until
from tests.conftest import RunningWorker
from tests.ledger import Ledger


class Away(MemoryExchange):
    """Does not answer some questions of a kind, of a worker that has found nothing to do."""

    def __init__(self, kind: type[Verb[Any]]) -> None:
        super().__init__()
        self.kind, self.left, self.quiet = kind, 0, True

    async def acall_all(self, verbs: Sequence[Verb[Any]], /, **way: Any) -> list[Any]:
        """Do the verbs; raises BrokerUnavailable while it is away."""
        if self.left and self.quiet and verbs and isinstance(verbs[0], self.kind):
            self.left -= 1
            raise BrokerUnavailable("Nobody is there.")
        answers = await super().acall_all(verbs, **way)
        if verbs and isinstance(verbs[0], ReadReady):
            self.quiet = not answers[0]
        return answers


@pytest.fixture
def session() -> Iterator[Session]:
    """A session with automatic delivery."""
    with Session(exchange=MemoryExchange(), delivery="auto") as session:
        yield session


@pytest.fixture
def registry() -> Registry:
    """A behaviour that answers."""
    registry = Registry()

    @registry.behaviour("answer")
    async def answer(branch: Branch, mail: Mail) -> None:
        branch.send(mail.sender, "message", f"{branch.name}: {mail.package.item.instruction}")

    return registry


@pytest.mark.parametrize("options", [{"concurrency": 0}, {"batch": 0}, {"concurrency": -1}], ids=str)
def test_what_makes_no_worker(options: dict[str, Any]) -> None:
    """It must do at least one thing at a time."""
    with pytest.raises(ConfigError, match="at least 1"):
        Worker(Registry(), exchange=MemoryExchange(), **options)


@pytest.mark.anyio
async def test_stopped_before_it_runs() -> None:
    """It returns at once; stopping and closing again is fine."""
    async with Worker(Registry(), exchange=MemoryExchange()) as worker:
        worker.stop()
        worker.stop()
        with anyio.fail_after(60):
            await worker.run()
        assert worker.state.stopping
    await worker.aclose()


@pytest.mark.anyio
async def test_a_worker_that_came_to_its_end_runs_again(session: Session, registry: Registry) -> None:
    """With the branches that it kept warm; one that was told to stop has stopped for good."""
    remote = await session.anew_branch(name="r", pool="p", behaviour="answer")
    async with Worker(registry, exchange=session.exchange, pool="p") as worker:
        for number in (1, 2):
            await session.default_branch.asend(remote, "message", f"{number}")
            await worker.run(until_idle=True)
            assert session.counters()["applied"] == number
        worker.stop()
        await session.default_branch.asend(remote, "message", "3")
        await worker.run(until_idle=True)
        assert (worker.state.mails, session.counters()["applied"]) == (2, 2)


@pytest.mark.anyio
async def test_stop_ends_a_worker_that_waits(running_worker: RunningWorker) -> None:
    """With nothing to do, it is told and gone."""
    with anyio.fail_after(60):
        async with running_worker(Registry(), MemoryExchange()):
            pass


@pytest.mark.anyio
async def test_only_its_own_pool(session: Session, registry: Registry) -> None:
    """Branches of other pools wait for theirs."""
    mine, other = (session.new_branch(name=name, pool=name, behaviour="answer") for name in ("mine", "other"))
    for branch in (mine, other):
        session.default_branch.send(branch, "message", "hello")
    await Worker(registry, exchange=session.exchange, pool="mine").run(until_idle=True)
    session.default_branch.receive_all()
    assert [message.text for message in session.default_branch.messages] == ["mine: hello"]
    assert session.counters()["inflight"] == 1


@pytest.mark.anyio
@pytest.mark.parametrize("asked", [ReadReady, ReadBranches])
async def test_a_server_that_is_away_is_not_idle(asked: type[Verb[Any]]) -> None:
    """A worker that ends when nothing waits asks again, whichever of its questions nobody has answered."""
    exchange, registry, seen = Away(asked), Registry(), list[str]()

    @registry.behaviour("moody", attempts=2, backoff=1.2)
    async def moody(branch: Branch, mail: Mail) -> None:
        seen.append(mail.id)
        exchange.left = 3
        raise ValueError("no")

    async with Session(exchange=exchange, delivery="auto") as session:
        branch = await session.anew_branch(name="b", pool="p", behaviour="moody")
        await session.default_branch.asend(branch, "signal", {"n": 1})
        exchange.left = 3 if asked is ReadReady else 0
        with anyio.fail_after(60):
            await Worker(registry, exchange=exchange, pool="p").run(until_idle=True)
        assert (len(seen), session.counters()["dead"]) == (2, 1)


@pytest.mark.anyio
@pytest.mark.parametrize("concurrency", [1, 2, 100])
async def test_many_branches(session: Session, registry: Registry, concurrency: int) -> None:
    """All are served, however few seats there are."""
    names = [f"b{number}" for number in range(12)]
    for name in names:
        branch = session.new_branch(name=name, pool="p", behaviour="answer")
        session.default_branch.send(branch, "message", "hello")
    await Worker(registry, exchange=session.exchange, pool="p", concurrency=concurrency).run(until_idle=True)
    session.default_branch.receive_all()
    assert {message.text for message in session.default_branch.messages} == {f"{name}: hello" for name in names}


@pytest.mark.anyio
async def test_several_workers_share_a_pool(
    session: Session, registry: Registry, running_worker: RunningWorker
) -> None:
    """Each mail is done by one of them, and a branch may change hands between turns."""
    branches = [session.new_branch(name=f"b{number}", pool="p", behaviour="answer") for number in range(5)]
    async with (
        running_worker(registry, session.exchange, pool="p", batch=2) as one,
        running_worker(registry, session.exchange, pool="p", batch=2) as two,
    ):
        for number in range(10):
            async with session.batch():
                for branch in branches:
                    await session.default_branch.asend(branch, "message", f"home:{number}")
            await session.await_idle()
    ledger = Ledger.of(session.exchange, session.id)
    assert one.state.mails + two.state.mails == 50
    assert ledger.doubles() == []
    assert ledger.gaps() == []
    assert all(ledger.texts[branch.id] == [f"home:{number}" for number in range(10)] for branch in branches)


@pytest.mark.anyio
async def test_operations(session: Session, registry: Registry, running_worker: RunningWorker) -> None:
    """Commands are answered one after the other; a failed one leaves the branch as it was."""
    remote = session.new_branch(name="far", pool="p")
    async with running_worker(registry, session.exchange, pool="p"):
        with pytest.raises(ModelError, match=r"far has no model"):
            await remote.communicate("What?")
        answers = await asyncio.gather(
            *(
                remote.communicate(
                    f"What is a {word}?", context=[f"A {word} is a cat."], chat_model="offline/extractive"
                )
                for word in ("lion", "cub")
            )
        )
    assert ["lion is a cat" in answers[0], "cub is a cat" in answers[1]] == [True, True]
    assert [message.role for message in remote.messages] == ["user", "assistant"] * 2


@pytest.mark.anyio
async def test_receiving_by_command(session: Session, running_worker: RunningWorker) -> None:
    """A remote branch receives from one sender what its worker set aside for it, by category."""
    with Session(exchange=session.exchange) as manual:
        remote = manual.new_branch(name="far", pool="p")
        home, other = manual.default_branch, manual.new_branch(name="other")
        home.send(remote, "message", "from home")
        other.send(remote, "message", "from another")
        manual.send()
        async with running_worker(Registry(), session.exchange, pool="p"):
            await remote.areceive(home)
            assert [message.text for message in remote.messages] == ["from home"]
            await remote.areceive_all()
            assert [message.text for message in remote.messages] == ["from home", "from another"]
            with pytest.raises(ValueError, match="No mail from"):
                await remote.areceive(home)


class Renewed(MemoryExchange):
    """Counts the renewals of each branch's lease, whose length passes when a test says so, however busy the machine."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.passed = 0.0
        clock = SimpleNamespace(monotonic=lambda: self.passed, time=time.time)
        for module in (store, pool):
            monkeypatch.setattr(module, "time", clock)
        super().__init__()
        self.renewals: Counter[str] = Counter()

    def call_all(self, verbs: Sequence[Verb[Any]], /) -> list[Any]:
        """Do the verbs."""
        answers = super().call_all(verbs)
        self.renewals.update(one.branch for verb in verbs if isinstance(verb, Renew) for one in verb.stations)
        return answers


def test_a_lease_outlives_a_blocked_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """A behaviour that does not let the loop run keeps its branch, although another worker waits for it."""
    exchange = Renewed(monkeypatch)
    with Session(exchange=exchange, delivery="auto") as session:
        stay_stubborn(session, exchange)


def stay_stubborn(session: Session, exchange: Renewed) -> None:
    """Keep a branch at work for twice the length of its lease."""
    registry, begun, done = Registry(), threading.Event(), threading.Event()

    @registry.behaviour("stubborn", backoff=0)
    async def stubborn(branch: Branch, mail: Mail) -> None:
        begun.set()
        assert done.wait(60)

    remote = session.new_branch(pool="p", behaviour="stubborn")
    workers = [Worker(registry, exchange=exchange, pool="p", lease=3.0) for _ in range(2)]
    threads = [threading.Thread(target=asyncio.run, args=(worker.run(),), daemon=True) for worker in workers]
    session.default_branch.send(remote, "message", "go")
    for thread in threads:
        thread.start()
    assert begun.wait(60)
    # Twice the length of the lease passes, a third of it after each renewal.
    for _ in range(6):
        before = exchange.renewals[remote.id]
        wait_until(lambda: exchange.renewals[remote.id] > before)  # noqa: B023 - asked at once
        exchange.passed += 1.0
        assert remote.record.leased
    done.set()
    session.wait_idle()
    for worker in workers:
        worker.stop()
    for thread in threads:
        thread.join()
    assert session.counters()["redelivered"] == 0
    assert len(Ledger.of(session.exchange, session.id).taken[remote.id]) == 1


def test_the_keeper_tells_of_cancelled_commands(session: Session) -> None:
    """It tells the station, renews its lease on, and forgets leases that are lost."""
    exchange, branch = session.exchange, session.default_branch
    told: list[Station] = []
    keeper = LeaseKeeper(exchange, 60, told.append)
    exchange.call(Release((Station(session.id, branch.id, session._state.local_branches.token_of(branch.id)),)))
    exchange.call(Claim(session.id, branch.id, "mine", lease_ms=60_000))
    keeper.add(Station(session.id, branch.id, "mine"))
    keeper.add(Station(session.id, branch.id, "not mine"))
    wait_until(lambda: repr(keeper) == "LeaseKeeper(1 lease of 0.06 s)")
    assert told == []
    exchange.call(Cancel(session.id, branch.id, "command"))
    assert wait_until(lambda: told)[0] == Station(session.id, branch.id, "mine")
    keeper.release_all()
    keeper.close()
    keeper.close()
