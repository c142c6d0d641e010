"""`/livez` and `/readyz` of real workers: what is no progress is seen, and so is when there is some again."""

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from lion_broker import Session
from lion_broker.broker.server.state import read_record
from lion_broker.testing import wait_until
from tests.integration.telemetry.probes import get, probed
from tests.stage import Stage

pytestmark = [pytest.mark.redis, pytest.mark.processes]

DESK = "tests.apps.desk:registry"
OBSERVED = "tests.apps.observed:registry"


@pytest.fixture
def session(stage: Stage) -> Iterator[Session]:
    """A session with automatic delivery."""
    with Session(exchange=stage.exchange, delivery="auto") as session:
        yield session


def test_a_worker_becomes_ready_and_drains(session: Session, stage: Stage, tmp_path: Path) -> None:
    """It is ready when it has heard from the server; told to stop it takes no new work, and is alive to the end."""
    branch = session.new_branch(name="b", pool="p", behaviour="wait")
    worker = probed(stage, DESK, "p", DESK=str(tmp_path))
    wait_until(worker.is_ready)
    session.default_branch.send(branch, "message", "one")
    wait_until((tmp_path / "one.begun").exists)
    worker.program.process.terminate()
    wait_until(lambda: worker.says("It is draining"))
    assert worker.live()
    (tmp_path / "go").touch()
    assert worker.program.wait() == 0


def test_work_that_waits_without_a_commit_is_no_progress(session: Session, stage: Stage, tmp_path: Path) -> None:
    """A worker whose only seat is held waits for no probe to notice; when it commits again it is ready."""
    first, second = (session.new_branch(name=name, pool="p", behaviour="wait") for name in ("first", "second"))
    worker = probed(stage, DESK, "p", "--concurrency", "1", "--stalled-after", "0.5", DESK=str(tmp_path))
    session.default_branch.send(first, "message", "one")
    wait_until((tmp_path / "one.begun").exists)
    session.default_branch.send(second, "message", "two")
    wait_until(lambda: worker.says("Work waits, and nothing was committed") and worker.live())
    (tmp_path / "go").touch()
    wait_until(worker.is_ready)
    session.wait_idle()


def test_a_stuck_event_loop_is_not_alive(session: Session, stage: Stage, tmp_path: Path) -> None:
    """The port answers all the same, and the log says where the loop stands."""
    branch = session.new_branch(name="b", pool="p", behaviour="block")
    worker = probed(stage, OBSERVED, "p", "--stalled-after", "0.5", DESK=str(tmp_path))
    # A busy machine lets a loop stand for a moment, too.
    wait_until(worker.live)
    session.default_branch.send(branch, "message", "one")
    wait_until(lambda: "in block" in worker.program.errors)
    assert not worker.live()
    assert worker.says("The event loop does not turn.")
    (tmp_path / "go").touch()
    wait_until(worker.live)
    wait_until(worker.is_ready)


def test_a_silent_server_makes_it_unready_and_not_dead(own_stage: Stage) -> None:
    """Until it answers again."""
    worker = probed(own_stage, DESK, "p", LION_BROKER_PATIENCE="0.3")
    wait_until(worker.is_ready)
    record = read_record(own_stage.environ["LION_BROKER_DATA_DIR"])
    assert record is not None
    os.kill(record.pid, signal.SIGSTOP)
    try:
        wait_until(lambda: worker.says("The server"), timeout=60)
        assert worker.live()
        wait_until(lambda: worker.count("lion_broker_redis_disruptions_total") > 0, timeout=60)
    finally:
        os.kill(record.pid, signal.SIGCONT)
    wait_until(worker.is_ready, timeout=60)


def test_two_ports_and_an_unknown_page(stage: Stage) -> None:
    """The metrics can have a port of their own; a page that is not there names those that are."""
    program = stage.worker(DESK, "p", "--health-port", "0", "--metrics-port", "localhost:0")
    event = program.told()
    assert get(f"{event['metrics']}/metrics")[0] == 200
    assert get(f"{event['metrics']}/livez")[0] == 404
    status, text = get(f"{event['health']}/..%2f")
    assert (status, text) == (404, "There is no such page; there are /livez, /metrics, /readyz.\n")


@pytest.mark.parametrize("option", ["--health-port", "--metrics-port"])
def test_a_port_that_is_taken(stage: Stage, option: str) -> None:
    """The worker says which, and what to do, before it serves anybody."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        program = stage.worker(DESK, "p", option, str(port))
        assert program.wait() == 2
    error = program.told()["message"]
    assert error == (
        f"{option} cannot listen on 127.0.0.1:{port}: another program does already. Name another port, or 0 for any."
    )


@pytest.mark.parametrize("port", ["-1", "65536", "http", "::1:80", "a b:80", "127.0.0.1:", " "])
def test_what_is_no_port(stage: Stage, port: str) -> None:
    """The worker says what it takes."""
    program = stage.worker(DESK, "p", f"--health-port={port}")
    assert program.wait() == 2
    assert "--health-port takes a PORT or HOST:PORT" in program.line()
