"""For how long a turn goes on from one mail to the next before it is committed."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from lion_broker import Branch, Mail, Registry, RemoteBranch, Session, Worker
from lion_broker.mail.memory import MemoryExchange
from lion_broker.mail.records import START, Entry, Rejected
from lion_broker.mail.verbs import Commit, Verb
from lion_broker.testing import await_until
from lion_broker.worker import prefetch, schedule
from lion_broker.worker.schedule import Schedule
from lion_broker.worker.turn import Turn
from tests.conftest import RunningWorker

pytestmark = pytest.mark.anyio

HOUR = 3600.0


class Asked(MemoryExchange):
    """An exchange that notes how many mails the commits of workers ask for."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []

    async def acall_all(self, verbs: Sequence[Verb[Any]], /, **way: Any) -> list[Any]:
        """Do the verbs."""
        self.batches += [verb.batch for verb in verbs if isinstance(verb, Commit) and verb.after != START]
        return await super().acall_all(verbs, **way)


@pytest.fixture
def session() -> Iterator[Session]:
    """A session with automatic delivery."""
    with Session(exchange=MemoryExchange(), delivery="auto") as session:
        yield session


@pytest.fixture(autouse=True)
def every_mail_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """After each mail a turn is beyond what it may take."""
    monkeypatch.setattr(schedule, "_LONG_SLICE", -1.0)


def may_last(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Turns may go on for so long, however long their mail has waited."""
    monkeypatch.setattr(Schedule, "may_last", lambda self, waited: seconds)


def registry_of(seen: list[str], then: Any = None) -> Registry:
    """A behaviour that notes what it is given, and then does something."""
    registry = Registry()

    @registry.behaviour("note")
    async def note(branch: Branch, mail: Mail) -> None:
        seen.append(str(mail.package.item.text))
        if then is not None:
            then()

    return registry


def post(session: Session, remote: RemoteBranch, texts: str) -> None:
    """Send a mail for each letter, all in one go."""
    with session.batch():
        for text in texts:
            session.default_branch.send(remote, "message", text)


async def serve(session: Session, registry: Registry) -> Worker:
    """Let a worker do everything that waits."""
    async with Worker(registry, exchange=session.exchange, pool="p") as worker:
        await worker.run(until_idle=True)
    return worker


@pytest.mark.parametrize(("seconds", "turns"), [(HOUR, 1), (-1.0, 3)])
async def test_a_turn_goes_on_as_long_as_it_may(
    session: Session, seconds: float, turns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that waits in one turn, or a turn for each mail; either way in order, each once."""
    may_last(seconds, monkeypatch)
    seen: list[str] = []
    remote = session.new_branch(pool="p", behaviour="note")
    post(session, remote, "abc")
    worker = await serve(session, registry_of(seen))
    assert (seen, worker.state.turns, worker.state.mails) == (["a", "b", "c"], turns, 3)
    assert [message.text for message in remote.messages] == ["a", "b", "c"]


async def test_others_go_first(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """What else the event loop has to do is done before the next mail of a turn that goes on."""
    may_last(HOUR, monkeypatch)
    seen: list[str] = []
    registry = registry_of(seen, lambda: asyncio.get_running_loop().call_soon(seen.append, "other"))
    post(session, session.new_branch(pool="p", behaviour="note"), "abc")
    worker = await serve(session, registry)
    assert (seen, worker.state.turns) == (["a", "other", "b", "other", "c", "other"], 1)


async def test_a_handler_that_has_waited_lets_nobody_go_again(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the first mail is at work another branch has a whole turn, so the second begins at once."""
    may_last(HOUR, monkeypatch)
    seen: list[str] = []
    workers: list[Worker] = []
    registry = registry_of([])

    @registry.behaviour("long")
    async def long(branch: Branch, mail: Mail) -> None:
        seen.append(str(mail.package.item.text))
        if seen == ["a"]:
            await await_until(lambda: workers[0].state.turns == 1 or None)
        asyncio.get_running_loop().call_soon(seen.append, "other")

    post(session, session.new_branch(pool="p", behaviour="long"), "abc")
    post(session, session.new_branch(pool="p", behaviour="note"), "d")
    async with Worker(registry, exchange=session.exchange, pool="p") as worker:
        workers.append(worker)
        await worker.run(until_idle=True)
    assert seen == ["a", "b", "other", "other", "c", "other"]
    assert worker.state.turns == 2


async def test_whoever_waits_for_an_answer_has_it_first(
    session: Session, running_worker: RunningWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A turn that has answered a command does not go on: the answer is in its commit, and what follows comes later."""
    may_last(HOUR, monkeypatch)
    seen: list[str] = []
    applied: list[int] = []
    registry = registry_of(seen, lambda: applied.append(session.counters()["applied"]))
    remote = session.new_branch(pool="p", behaviour="note")
    post(session, remote, "a")
    asking = asyncio.create_task(remote.adelete_tools([]))
    await asyncio.sleep(0)  # it is posted now, and what follows is behind it
    post(session, remote, "bc")
    async with running_worker(registry, session.exchange, pool="p"):
        await asking
        await session.await_idle()
    assert (seen, applied) == (["a", "b", "c"], [0, 2, 2])


async def test_a_worker_that_is_told_to_stop_goes_on_with_no_further_mail(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mail that it is at is done, and those behind it are for others."""
    may_last(HOUR, monkeypatch)
    seen: list[str] = []
    workers: list[Worker] = []
    registry = registry_of(seen, lambda: workers[0].stop())
    remote = session.new_branch(pool="p", behaviour="note")
    post(session, remote, "abc")
    async with Worker(registry, exchange=session.exchange, pool="p") as worker:
        workers.append(worker)
        await worker.run()
    assert (seen, worker.state.mails) == (["a"], 1)
    await serve(session, registry_of(seen))
    assert seen == ["a", "b", "c"]


def test_a_turn_lasts_a_part_of_what_its_mail_has_waited() -> None:
    """And never longer than a fifth of a second; not at all where sessions share the worker."""
    alone = Schedule(10, 10, print)
    assert [alone.may_last(waited) for waited in (0.0, 0.2, 0.8, 60.0)] == [0.0, 0.05, 0.2, 0.2]
    for session in "ab":
        alone.passage(session)
    assert alone.may_last(60.0) == 0.0


@pytest.mark.parametrize(("enough", "batch"), [(HOUR, 200), (0.0, 1)], ids=["quick", "slow"])
async def test_a_worker_asks_for_as_many_as_it_can_work_at(
    enough: float, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By how long the mails of the turn took that ends."""
    monkeypatch.setattr(prefetch, "_AHEAD_SECONDS", enough)
    exchange, seen = Asked(), list[str]()
    with Session(exchange=exchange, delivery="auto") as session:
        post(session, session.new_branch(pool="p", behaviour="note"), "abc")
        await serve(session, registry_of(seen))
    assert seen == list("abc")
    assert set(exchange.batches) == {batch}


def test_how_long_the_mail_of_a_turn_has_waited() -> None:
    """By the exchange's clock, from the entry of the oldest one to when it was handed out."""
    entries = [Entry(f"{ms}-0", Rejected("lost_blob", "", {})) for ms in (1_000, 2_900)]
    assert Turn(entries, now=3_500).waited == 2.5
