"""Workers that are asked to stop, and workers that come back from a long sleep."""

from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from lion_broker import Branch, Mail, Registry, Session, Worker
from lion_broker.mail.verbs import ReadBranches, ReadReady
from lion_broker.testing import wait_until
from tests.ledger import Ledger
from tests.stage import Stage

pytestmark = [pytest.mark.redis, pytest.mark.processes]


@pytest.fixture
def session(stage: Stage) -> Iterator[Session]:
    """A session with automatic delivery."""
    with Session(exchange=stage.exchange, delivery="auto") as session:
        yield session


def test_a_drained_worker_hands_over_at_once(session: Session, stage: Stage, tmp_path: Path) -> None:
    """After SIGTERM the mail in work is finished, the rest is handed over without a lease's wait, nothing again."""
    remote = session.new_branch(name="remote", pool="p", behaviour="wait")
    home = session.default_branch
    first = stage.worker(pool="p", lease=600, DESK=str(tmp_path))
    with session.batch():
        for number in range(100):
            home.send(remote, "message", f"home:{number}")
    wait_until((tmp_path / "home:0.begun").exists)
    first.process.terminate()
    wait_until(lambda: "stopping" in first.errors)
    (tmp_path / "go").touch()
    assert first.wait() == 0
    stopped = first.told() if first.ready() else {}
    assert stopped["event"] == "stopped"
    stage.worker(pool="p", lease=600, DESK=str(tmp_path))
    session.wait_idle()
    ledger = Ledger.of(session.exchange, session.id)
    assert ledger.texts[remote.id] == [f"home:{number}" for number in range(100)]
    assert session.counters()["redelivered"] == 0


def test_a_worker_that_will_not_wait_gives_up_its_turn(session: Session, stage: Stage, tmp_path: Path) -> None:
    """A turn that takes longer than the grace period is dropped; another worker does it, at once and once."""
    remote = session.new_branch(name="remote", pool="p", behaviour="wait")
    home = session.default_branch
    first = stage.worker("tests.apps.desk:registry", "p", "--grace", "0.1", lease=600, DESK=str(tmp_path))
    home.send(remote, "message", "home:1")
    wait_until((tmp_path / "home:1.begun").exists)
    assert first.stop() == 0
    (tmp_path / "go").touch()
    stage.worker(pool="p", lease=600, DESK=str(tmp_path))
    session.wait_idle()
    home.receive_all()
    assert [message.instruction for message in home.messages] == ["re home:1"]
    assert Ledger.of(session.exchange, session.id).doubles() == []


@pytest.mark.anyio
async def test_what_was_read_ahead_is_not_begun_when_the_grace_is_over(session: Session) -> None:
    """Nobody would hold the branches that a worker claimed and left at once, and until their leases end none could."""
    registry, begun = Registry(), anyio.Event()

    @registry.behaviour("hang")
    async def hang(branch: Branch, mail: Mail) -> None:
        begun.set()
        await anyio.sleep_forever()

    branches = [await session.anew_branch(name=f"b{number}", pool="p", behaviour="hang") for number in range(5)]
    async with Worker(registry, exchange=session.exchange, pool="p", concurrency=1, grace=0.1, lease=60) as worker:
        async with anyio.create_task_group() as group:
            group.start_soon(worker.run)
            await session.default_branch.asend(branches[0], "message", "hello")
            await begun.wait()
            for branch in branches[1:]:
                await session.default_branch.asend(branch, "message", "hello")
            # As a worker does that has ended some turns a moment ago.
            for ready in await session.exchange.acall(ReadReady("p", worker.owner, 10)):
                worker._admit(ready)
            worker.stop()
        records = await session.exchange.acall(ReadBranches(session.id, tuple(branch.id for branch in branches)))
    assert [(record.leased, record.waiting) for record in records] == [(False, 1)] * 5


def test_a_zombie_is_fenced(session: Session, stage: Stage, tmp_path: Path) -> None:
    """A worker that slept past its lease writes nothing any more, drops its copy, and serves on."""
    remote = session.new_branch(name="remote", pool="p", behaviour="wait")
    home = session.default_branch
    # After a sleep that is longer than its patience it would blame the server first.
    first = stage.worker(pool="p", lease=0.5, DESK=str(tmp_path), LION_BROKER_PATIENCE="60")
    owner = first.ready()
    home.send(remote, "message", "home:1")
    wait_until((tmp_path / "home:1.begun").exists)
    first.freeze()
    (tmp_path / "go").touch()
    second = stage.worker(pool="p", lease=0.5, DESK=str(tmp_path))
    session.wait_idle()
    first.thaw()
    wait_until(lambda: "hosted elsewhere" in first.errors)
    assert second.stop() == 0
    home.send(remote, "message", "home:2")
    session.wait_idle()
    home.receive_all()
    assert [message.instruction for message in home.messages] == ["re home:1", "re home:2"]
    ledger = Ledger.of(session.exchange, session.id)
    assert ledger.texts[remote.id] == ["home:1", "home:2"]
    assert ledger.doubles() == []
    turns = [event.fields["owner"] for event in session.events(timeout=0) if event.kind == "turn"]
    assert turns[-2:].count(owner) == 1
