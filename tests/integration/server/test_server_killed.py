"""The server dies: what it had accepted is there when it is back, and nobody has to be started again."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lion_broker import BrokerUnavailable, Session
from lion_broker.broker.exchange import RedisExchange
from lion_broker.broker.server.state import read_record
from lion_broker.testing import wait_until
from tests.conformance.servers import SECRET, find_bundled
from tests.ledger import Ledger
from tests.stage import Stage, short_folder

pytestmark = [pytest.mark.redis, pytest.mark.processes]


def kill_server(stage: Stage) -> int:
    """Kill the embedded server as a power cut would; returns the number that its process had."""
    record = read_record(stage.environ["LION_BROKER_DATA_DIR"])
    assert record is not None
    os.kill(record.pid, signal.SIGKILL)
    return record.pid


def test_work_goes_on_after_the_embedded_server_was_killed(own_stage: Stage) -> None:
    """Three times under load; coordinator and workers find the new server by themselves."""
    with Session(exchange=own_stage.exchange, delivery="auto") as session:
        sink = session.new_branch(name="sink", pool="p")
        branches = [
            session.new_branch(name=f"b{n}", pool="p", behaviour="forward", metadata={"to": sink.id}) for n in range(8)
        ]
        own_stage.workers(2, pool="p")
        numbers = iter(range(240))
        for wave in range(3):
            with session.batch():
                for _ in range(80):
                    number = next(numbers)
                    session.default_branch.send(branches[number % 8], "message", f"home:{number}")
            wait_until(lambda: session.counters()["applied"] > 160 * wave + 10)  # noqa: B023 - asked at once
            # While the disk is slow the server keeps back what it writes, and mail of the last second with it.
            wait_until(lambda: own_stage.server.client.info("persistence")["aof_buffer_length"] == 0)
            kill_server(own_stage)
        session.wait_idle()
        ledger = Ledger.of(session.exchange, session.id)
        assert len(ledger.effects) == 480
        assert ledger.doubles() == []
        assert ledger.gaps() == []
        assert [ledger.reordered(branch.id) for branch in (*branches, sink)] == [[]] * 9
        assert session.dead_letters == []
        assert all(program.alive for program in own_stage.programs)


class Mortal:
    """A server that can be killed and started again on the same data."""

    def __init__(self, folder: Path) -> None:
        self.url = f"unix://{folder / 's'}"
        self._words = [str(find_bundled()), "--port", "0", "--unixsocket", str(folder / "s"), "--dir", str(folder)]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; the exchange waits until it answers."""
        self._process = subprocess.Popen(
            [*self._words, "--appendonly", "yes", "--appendfsync", "always", "--save", ""], stdout=subprocess.DEVNULL
        )

    def kill(self) -> None:
        """Kill it, if it runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@pytest.fixture
def mortal() -> Iterator[Mortal]:
    """A running server."""
    with short_folder() as folder:
        server = Mortal(folder)
        server.start()
        yield server
        server.kill()


def test_a_dead_server_is_a_clear_error_and_nothing_is_lost(mortal: Mortal) -> None:
    """What could not be stored stays in the branch and is stored with the next call after the server is back."""
    with (
        RedisExchange(mortal.url, SECRET, patience=0.2) as hasty,
        RedisExchange(mortal.url, SECRET, patience=60) as patient,
    ):
        patient.call_all([])
        session = wait_until(lambda: Session(exchange=patient, delivery="auto"))
        sid = session.id
        session.close()
        session = Session.open(sid, exchange=hasty, host=True)
        home = session.default_branch
        other = session.new_branch(name="other")
        home.send(other, "message", "before")
        mortal.kill()
        with pytest.raises(BrokerUnavailable, match=f"No server answers at {mortal.url}.*Is it running"):
            home.send(other, "message", "while it was dead")
        with pytest.raises(BrokerUnavailable):
            other.receive_all()
        mortal.start()
        with Session.open(sid, exchange=patient) as watcher:
            home.send(other, "message", "after")
            other.receive_all()
            texts = [message.text for message in watcher.get_branch("other").messages]
        assert texts == ["before", "while it was dead", "after"]
        assert [message.text for message in other.messages] == texts
        session.delete()
