"""A server that is up and still reads its data back: a worker waits for as long as it says so, however long that is."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from redis.exceptions import ConnectionError as NotYetThere

from lion_broker import BrokerUnavailable, Session
from lion_broker.cli.exits import Code
from lion_broker.errors import ServerBusy
from lion_broker.testing import wait_until
from tests.faults.place import OwnServer, Site
from tests.stage import Program

pytestmark = [pytest.mark.redis, pytest.mark.processes]

KEYS = 100_000
SLOWLY = {"key-load-delay": "2000", "loading-process-events-interval-bytes": "1024"}
"""Two milliseconds a key, and clients are answered between: minutes, unless it is told to be quick."""
PATIENCE = "1"
MANY = 12
"""Times that a server has said that it is loading: within this patience somebody asks half as often at most."""
LOADS = "is still loading its data"


@pytest.fixture
def loading(site: Site) -> OwnServer:
    """A server with much data that was killed, and has just been started again."""
    fill(site.server)
    start_slowly(site.server)
    return site.server


def fill(server: OwnServer) -> None:
    """Put much into it, in the form that it reads back key by key."""
    with server.client() as client:
        client.eval("for n = 1, ARGV[1] do redis.call('SET', 'key' .. n, string.rep('x', 100)) end", 0, KEYS)
        client.bgrewriteaof()
        wait_until(lambda: not client.info("persistence")["aof_rewrite_in_progress"])


def start_slowly(server: OwnServer) -> None:
    """Kill it and start it again; it is loading when this returns."""
    server.kill()
    server.begin(SLOWLY)

    def is_loading() -> bool:
        with suppress(NotYetThere):
            return bool(server.info("persistence")["loading"])
        return False

    wait_until(is_loading)


def refusals(server: OwnServer) -> int:
    """How often it has said that it is loading; whoever asks this is answered."""
    return int(server.info("errorstats").get("errorstat_LOADING", {"count": 0})["count"])


def waiting(site: Site, *words: str, **environ: Any) -> Program:
    """A worker that has waited for much longer than its patience for a server that is loading."""
    before = refusals(site.server)
    program = site.worker(*words, lease=1.0, LION_BROKER_PATIENCE=PATIENCE, **environ)
    wait_until(lambda: refusals(site.server) >= before + MANY, 120)
    assert program.alive, program.errors
    return program


def test_a_worker_waits_until_the_data_are_there(site: Site, loading: OwnServer) -> None:
    """It says once what it waits for, and then serves as if nothing had been."""
    worker = waiting(site)
    assert worker.errors.count(LOADS) == 1
    assert "ready" not in worker.errors
    loading.configure("key-load-delay", "0")
    worker.ready()
    with Session(exchange=site.connect(), delivery="auto") as session:
        branch = session.new_branch(name="echo", pool="p", behaviour="echo")
        session.default_branch.send(branch, "message", "hello")
        session.wait_idle()
        session.default_branch.receive_all()
        assert [message.text for message in session.default_branch.messages] == ["re hello"]
    assert worker.errors.count(LOADS) == 1
    assert worker.stop() == 0


@pytest.mark.parametrize("ends", ["SIGTERM", "the end of stdin"])
def test_a_worker_that_waits_stops_when_told(site: Site, loading: OwnServer, ends: str) -> None:
    """As a worker at work does, with 0 and a line that says so."""
    worker = waiting(site)
    if ends == "SIGTERM":
        worker.process.terminate()
    else:
        assert worker.process.stdin is not None
        worker.process.stdin.close()
    assert worker.wait() == 0
    assert worker.told() == {"event": "stopped", "turns": 0, "mails": 0, "rescued": 0}
    assert "Traceback" not in worker.errors


def test_where_nobody_answers_any_more_it_gives_up(site: Site, loading: OwnServer) -> None:
    """A server that dies while it is loading is a server that does not answer."""
    worker = waiting(site)
    loading.kill()
    assert worker.wait() == Code.NO_SERVER
    assert worker.errors.count("No server answers") == 1
    assert worker.errors.count(LOADS) == 1


def test_the_sweeper_waits_too(site: Site, loading: OwnServer) -> None:
    """It is a process of the deployment like any other."""
    before = refusals(loading)
    sweeper = site.start("-m", "lion_broker", "sweeper", "--json", **site.environ(LION_BROKER_PATIENCE=PATIENCE))
    wait_until(lambda: refusals(loading) >= before + MANY, 120)
    assert sweeper.alive, sweeper.errors
    loading.configure("key-load-delay", "0")
    wait_until(lambda: "ready" in sweeper.errors)
    assert sweeper.stop() == 0


def test_a_worker_at_work_says_it_once(site: Site) -> None:
    """A server that is started again under it is waited for in the same way."""
    fill(site.server)
    worker = site.worker(lease=1.0, LION_BROKER_PATIENCE=PATIENCE)
    worker.ready()
    start_slowly(site.server)
    wait_until(lambda: refusals(site.server) >= MANY, 120)
    assert worker.alive
    # Before it was there again it did not answer, which on a busy machine may take long enough to be told as well.
    told = [line for line in worker.errors.splitlines() if "waiting for the server: " in line]
    assert len([line for line in told if LOADS in line]) == 1
    assert all(LOADS in line or "No server answers" in line for line in told)
    site.server.configure("key-load-delay", "0")
    wait_until(site.server.answers)
    assert worker.stop() == 0


def test_a_program_keeps_its_patience(site: Site, loading: OwnServer) -> None:
    """Whoever asks once is told what is the matter, and may ask again."""
    with pytest.raises(ServerBusy, match=LOADS) as raised:
        Session(exchange=site.connect(patience=0.1))
    assert isinstance(raised.value, BrokerUnavailable)
    loading.configure("key-load-delay", "0")
    with Session(exchange=site.connect()) as session:
        assert len(session.branches) == 1
