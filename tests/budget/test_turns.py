"""What a turn costs: commands in the server, bytes on the wire, calls and objects in the worker; no clock is read."""

import asyncio
import cProfile
import gc
import pstats
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from lion_broker import Branch, Mail, Registry, Session, Worker
from lion_broker.broker.codec import Codec
from lion_broker.broker.exchange import RedisExchange
from lion_broker.broker.leases import LeaseKeeper
from lion_broker.broker.signing import Signer
from lion_broker.mail.exchange import run
from lion_broker.mail.verbs import Claim, Promote, ReadReady
from lion_broker.mail.wire import Header, WireMail, encode_json
from lion_broker.messages import Instruction
from lion_broker.session.postbox import Postbox
from lion_broker.worker import heartbeat, prefetch, schedule
from lion_broker.worker.schedule import Schedule
from lion_broker.worker.seat import Seat
from lion_broker.worker.server_time import ServerTime
from lion_broker.worker.sweeper import Sweeper
from lion_broker.worker.workplace import Workplace
from tests.budget.counting import Count, Counter
from tests.conftest import RunningWorker

pytestmark = pytest.mark.anyio

MAILS, BATCH = 2000, 100
"""Twenty turns of a hundred mails."""
TURNS = MAILS // BATCH
STARTING = 20
"""Calls of the claim, of the first sweep, and of whoever waits for the end."""
HOUR = 3600.0


@pytest.fixture(autouse=True)
def no_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what comes with time and not with mail, for a slow machine has more of it.

    That are the sweeps after the first one, heartbeats, and the end of a turn that takes long, or what it asks for.
    """

    async def sweep_once(self: Sweeper) -> None:
        await self.sweep()
        await self.promote()

    monkeypatch.setattr(Sweeper, "run", sweep_once)
    monkeypatch.setattr(heartbeat, "_LONGEST_MS", HOUR * 1000)
    monkeypatch.setattr(schedule, "_LONG_SLICE", HOUR)
    monkeypatch.setattr(prefetch, "_AHEAD_SECONDS", HOUR)


@pytest.fixture
def registry() -> Registry:
    """Behaviours that do nothing, without and with a history, and one that sends every mail on."""
    registry = Registry()

    @registry.behaviour("idle", record=False)
    async def idle(branch: Branch, mail: Mail) -> None:
        pass

    @registry.behaviour("history")
    async def history(branch: Branch, mail: Mail) -> None:
        pass

    @registry.behaviour("relay", record=False)
    async def relay(branch: Branch, mail: Mail) -> None:
        branch.send("sink", "message", mail.package.item)

    return registry


def kilobytes(session: Session, recipient: Any, count: int = MAILS) -> list[WireMail]:
    """Message mails of about a kibibyte."""
    body = encode_json({"item": Instruction.create(instruction="x" * 500).to_dict()}, "message")
    return [WireMail(Header(session.id, session.id, recipient.id, "message", seq=n + 1), body) for n in range(count)]


@contextmanager
def calls() -> Iterator[cProfile.Profile]:
    """Count the calls of Python and C functions in a block."""
    profile = cProfile.Profile()
    profile.enable()
    try:
        yield profile
    finally:
        profile.disable()


class Drained:
    """What draining the mails has cost, with the worker's start."""

    def __init__(self, count: Count, profile: cProfile.Profile) -> None:
        self.count = count
        stats: Any = pstats.Stats(profile)
        self.calls_a_mail = stats.total_calls / MAILS

    def beside(self, entries: float) -> float:
        """Commands inside of functions beside so many that each mail needs."""
        return self.count.inner - entries * MAILS


@pytest.fixture
def drained(exchange: RedisExchange, counter: Counter, registry: Registry, running_worker: RunningWorker) -> Any:
    """Drains the mails of one branch with a behaviour."""

    async def drain(behaviour: str) -> Drained:
        async with Session(exchange=exchange, delivery="auto") as session:
            await session.anew_branch(name="sink")
            remote = await session.anew_branch(pool="p", behaviour=behaviour or None)
            run(exchange, Postbox(session.id).post_steps(kilobytes(session, remote)))
            with counter.counting() as count, calls() as profile:
                async with running_worker(registry, exchange, pool="p", lease=HOUR, batch=BATCH) as worker:
                    await session.await_idle()
            assert session.counters()["applied"] == MAILS
            assert worker.state.turns == TURNS
            return Drained(count, profile)

    return drain


async def test_a_turn_of_mail_that_is_written_down(drained: Any) -> None:
    """One call of a function, an entry in the log for six such mails, and few commands beside.

    The branch is not even read.
    """
    cost = await drained("")
    assert cost.count["fcall"] <= 1.5 * TURNS + STARTING
    assert cost.count["xadd"] <= MAILS / 6 + 2 * TURNS + STARTING
    assert cost.beside(1 / 6) <= 20 * TURNS + 10 * STARTING
    assert cost.calls_a_mail <= 74


async def test_a_turn_of_a_behaviour(drained: Any) -> None:
    """The same, and the worker makes a mail of each."""
    cost = await drained("idle")
    assert cost.count["fcall"] <= 1.5 * TURNS + STARTING
    assert cost.beside(1 / 6) <= 20 * TURNS + 10 * STARTING
    assert cost.calls_a_mail <= 137


async def test_a_turn_of_a_behaviour_with_a_history(drained: Any) -> None:
    """The mail joins the history as well, and neither its item nor the message is made before somebody looks."""
    cost = await drained("history")
    assert cost.count["fcall"] <= 1.5 * TURNS + STARTING
    assert cost.beside(1 / 6) <= 20 * TURNS + 10 * STARTING
    assert cost.calls_a_mail <= 158


async def test_a_turn_that_answers_every_mail(drained: Any) -> None:
    """Mails that go out cost one entry more each, and the recipient is looked at once a turn."""
    cost = await drained("relay")
    assert cost.count["fcall"] <= 1.5 * TURNS + STARTING
    assert cost.count["xadd"] <= MAILS * 7 / 6 + 3 * TURNS + STARTING
    assert cost.beside(7 / 6) <= 30 * TURNS + 10 * STARTING
    assert cost.calls_a_mail <= 340


async def test_turns_of_a_single_mail(exchange: RedisExchange, counter: Counter, registry: Registry) -> None:
    """All of a turn for one mail: handed out, worked at, committed, and the next one asked for in the same call."""
    async with Session(exchange=exchange, delivery="auto") as session:
        remote = await session.anew_branch(pool="p", behaviour="idle")
        run(exchange, Postbox(session.id).post_steps(kilobytes(session, remote)))
        async with Worker(registry, exchange=exchange, pool="p", lease=HOUR, batch=1) as worker:
            with counter.counting() as count, calls() as profile:
                await worker.run(until_idle=True)
        assert (worker.state.turns, worker.state.mails) == (MAILS, MAILS)
    assert count["fcall"] <= 1.5 * MAILS
    stats: Any = pstats.Stats(profile)
    assert stats.total_calls / MAILS <= 450


async def test_a_mail_crosses_the_wire_once_each_way(drained: Any) -> None:
    """What the worker sends back of a mail that it writes down is what came, with little around it."""
    cost = await drained("")
    body = len(encode_json({"item": Instruction.create(instruction="x" * 500).to_dict()}, "message"))
    assert cost.count.bytes_read / MAILS <= body + 400


async def test_a_claim_answers_with_what_waits(exchange: RedisExchange, counter: Counter) -> None:
    """However many mails it hands out, it runs the same few commands, and its answer is little but the mails."""
    found = []
    async with Session(exchange=exchange, delivery="auto") as session:
        for waiting in (1, 100):
            remote = await session.anew_branch(pool=f"p{waiting}")
            run(exchange, Postbox(session.id).post_steps(kilobytes(session, remote, waiting)))
            (ready,) = exchange.call(ReadReady(f"p{waiting}", "me", 1))
            claim = Claim(
                session.id,
                remote.id,
                "t" * 32,
                entry=ready.id,
                pool=f"p{waiting}",
                owner="me",
                lease_ms=9999,
                batch=100,
            )
            with counter.counting() as count:
                entries: Any = exchange.call(claim).entries
            assert len(entries) == waiting
            found.append((count, entries))
    (one, first), (many, entries) = found
    assert one.inner == many.inner <= 5
    told = [
        sum(len(mail.id) + len(mail.mail.head) + len(mail.mail.body) for mail in batch) for batch in (first, entries)
    ]
    # Four values each, as the server writes them, with a signature of 41 bytes. Names of fields would be 20 more.
    assert (many.bytes_sent - one.bytes_sent) - (told[1] - told[0]) <= (len(entries) - 1) * (41 + 4 * 9)


async def test_a_turn_of_a_single_mail(exchange: RedisExchange, counter: Counter, registry: Registry) -> None:
    """A claim and a commit: what is asked beside the mail, its log entry and the mark is little, and nothing twice."""
    async with Session(exchange=exchange, delivery="auto") as session:
        remote = await session.anew_branch(pool="p", behaviour="idle")
        run(exchange, Postbox(session.id).post_steps(kilobytes(session, remote, 1)))
        (ready,) = exchange.call(ReadReady("p", "me", 1))
        line = Schedule(1, BATCH, lambda ready: None)
        place = Workplace(exchange, registry, LeaseKeeper(exchange, 60_000), "p", "me", 60_000, line)
        line.add(ready)
        with counter.counting() as count:
            await Seat(place, ready).serve()
        place.keeper.close()
        assert session.counters()["applied"] == 1
    # Beside claim and commit the branch is read, once: its log. Entries: the log, and the live tail.
    assert count["fcall"] == 3
    assert (count["xadd"], count["xack"], count["xtrim"]) == (2, 1, 1)
    assert count.inner <= 26


async def test_a_mail_to_an_idle_branch(exchange: RedisExchange, counter: Counter, registry: Registry) -> None:
    """In the steady state it is one call of the sender, and one read and one commit of the worker: no claim.

    What the worker does from the read to the end of the turn is counted as well.
    """
    async with Session(exchange=exchange, delivery="auto") as session:
        remote = await session.anew_branch(pool="p", behaviour="idle")
        schedule = Schedule(1, BATCH, lambda ready: None)
        place = Workplace(exchange, registry, LeaseKeeper(exchange, 60_000), "p", "me", 60_000, schedule)
        place.time.heard((await exchange.acall(Promote())).now)
        assert not await exchange.acall(ReadReady("p", "me", 1))  # whoever reads first makes the pool's group
        counts: list[tuple[Count, int]] = []
        for _ in range(2):
            with counter.counting() as count:
                await session.default_branch.asend(remote, "message", "hello")
                with calls() as profile:
                    (ready,) = await exchange.acall(ReadReady("p", "me", 1))
                    schedule.add(ready)
                    await Seat(place, ready).serve()
                    schedule.leave(session.id)
            # Not `pstats`, which knows functions by file, line and name: those that were made of a text are one to it.
            counts.append((count, sum(entry.callcount for entry in profile.getstats())))
        place.keeper.close()
        assert session.counters()["applied"] == 2
    # The first one also opens the pool, and reads the branch.
    last, done = counts[-1]
    assert (last["fcall"], last["xreadgroup"]) == (2, 1)
    assert last.inner <= 34
    assert done <= 684


async def test_a_command_to_an_idle_branch(exchange: RedisExchange, counter: Counter, registry: Registry) -> None:
    """A post and a read, a commit and a read: whether it was cancelled is not asked when it has only just come."""
    async with Session(exchange=exchange, delivery="auto") as session:
        remote = await session.anew_branch(pool="p")
        place = Workplace(
            exchange, registry, LeaseKeeper(exchange, 60_000), "p", "me", 60_000, Schedule(1, BATCH, print)
        )
        place.time = ServerTime(lambda: 0.0)
        assert not await exchange.acall(ReadReady("p", "me", 1))
        counts = []
        for _ in range(2):
            with counter.counting() as count:
                counts.append(count)
                asking = asyncio.create_task(remote.adelete_tools([]))
                (ready,) = await exchange.acall(ReadReady("p", "me", 1, wait_ms=60_000))
                assert ready.given is not None
                place.time.heard(ready.given.now)
                await Seat(place, ready).serve()
                await asking
        place.keeper.close()
    last = counts[-1]
    assert (last["fcall"], last["xreadgroup"], last["smembers"]) == (2, 1, 0)


async def test_an_answer_leaves_nothing_to_be_closed(
    exchange: RedisExchange, registry: Registry, running_worker: RunningWorker
) -> None:
    """A generator that was left before its end would take a task and a turn of the event loop for each request."""
    async with Session(exchange=exchange, delivery="auto") as session:
        remote = await session.anew_branch(pool="p", imodel="offline/extractive")
        async with running_worker(registry, exchange, pool="p"):
            gc.collect()
            gc.disable()  # what other tests have left is not to be counted here
            try:
                with calls() as profile:
                    await remote.communicate("What is a lion?", context=["A lion is a large cat."])
            finally:
                gc.enable()
    stats: Any = pstats.Stats(profile)
    assert "_asyncgen_finalizer_hook" not in {name for _, _, name in stats.stats}


def test_the_objects_of_a_mail() -> None:
    """A mail that was opened is a dozen objects that the garbage collector has to look at."""
    session, branch = "00000000-0000-7000-8000-000000000001", "00000000-0000-7000-8000-000000000002"
    body = encode_json({"item": Instruction.create(instruction="x" * 500).to_dict()}, "message")
    codec = Codec(Signer(b"s" * 32))
    raw: Any = []
    for number in range(1000):
        sealed = codec.seal(WireMail(Header(session, session, branch, "message"), body))
        raw.append((b"%d-0" % number, [b"m", sealed.mail]))
    gc.collect()
    gc.disable()
    try:
        before = len(gc.get_objects())
        opened = [codec.open(entry, session, branch) for entry in raw]
        made = len(gc.get_objects()) - before
    finally:
        gc.enable()
    assert all(isinstance(entry.mail, WireMail) for entry in opened)
    assert made / len(opened) <= 12
