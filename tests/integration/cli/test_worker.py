"""`lion-broker worker` as a process: how it stops, and what becomes of the work that it had."""

from pathlib import Path

import pytest

from lion_broker import Session
from lion_broker.session.remote import RemoteBranch
from lion_broker.testing import wait_until
from tests.stage import Stage

pytestmark = [pytest.mark.redis, pytest.mark.processes]


@pytest.fixture
def remote(session: Session) -> RemoteBranch:
    """A branch that has two mails to wait over."""
    branch: RemoteBranch = session.new_branch(name="remote", pool="p", behaviour="wait")
    for text in ("one", "two"):
        session.default_branch.send(branch, "message", text)
    return branch


def texts(branch: RemoteBranch) -> list[str]:
    """What has joined a branch's history."""
    return [str(message.content["instruction"]) for message in branch.messages]


def test_a_second_signal_stops_at_once(session: Session, remote: RemoteBranch, stage: Stage, tmp_path: Path) -> None:
    """A turn that does not end is dropped, the exit code names the signal, and another worker does it again."""
    first = stage.worker("tests.apps.desk:registry", "p", "--concurrency", "1", DESK=str(tmp_path))
    wait_until((tmp_path / "one.begun").exists)
    first.process.terminate()
    wait_until(lambda: "stopping" in first.errors)
    first.process.terminate()
    assert first.wait() == 143
    assert texts(remote) == []
    (tmp_path / "go").touch()
    second = stage.worker("tests.apps.desk:registry", "p", DESK=str(tmp_path))
    session.wait_idle()
    assert texts(remote) == ["one", "two"]
    assert second.stop() == 0


@pytest.mark.usefixtures("remote")
def test_the_grace_ends_with_every_seat_taken(stage: Stage, tmp_path: Path) -> None:
    """A worker whose only seat is held by a turn without an end stops all the same after its grace."""
    worker = stage.worker("tests.apps.desk:registry", "p", "--concurrency", "1", "--grace", "0.2", DESK=str(tmp_path))
    wait_until((tmp_path / "one.begun").exists)
    assert worker.stop() == 0


def test_the_end_of_stdin_stops_it(stage: Stage) -> None:
    """With `--until-eof` a worker ends with the program that holds its stdin, and says what it has done."""
    worker = stage.worker()
    worker.ready()
    assert worker.process.stdin is not None
    worker.process.stdin.close()
    assert worker.wait() == 0
    assert worker.told() == {"event": "stopped", "turns": 0, "mails": 0, "rescued": 0}


def test_the_sweeper_runs_alone(stage: Stage, session: Session, remote: RemoteBranch, tmp_path: Path) -> None:
    """`sweeper --once` gives the branch of a dead worker to others, by itself."""
    worker = stage.worker("tests.apps.desk:registry", "p", lease=0.5, DESK=str(tmp_path))
    wait_until((tmp_path / "one.begun").exists)
    worker.kill()
    wait_until(lambda: not remote.record.leased)
    sweeper = stage.start("-m", "lion_broker", "sweeper", "--pool", "p", "--lease", "0.5", "--once", "--json")
    assert sweeper.told() == {"given_to_others": {"p": 1}}


def test_the_sweeper_stops_when_told(stage: Stage) -> None:
    """It sweeps until SIGTERM, and that is a clean end."""
    sweeper = stage.start("-m", "lion_broker", "sweeper", "--json")
    wait_until(lambda: "ready" in sweeper.errors)
    assert sweeper.stop() == 0
    assert sweeper.told() == {"given_to_others": {"default": 0}}
