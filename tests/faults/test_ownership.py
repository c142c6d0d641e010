"""Who owns a branch: leases that are kept, that end, and outside calls that nobody begins without one."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from lion_broker import RemoteBranch, Session
from lion_broker.mail.verbs import Claim, ReadReady, Sweep
from lion_broker.testing import wait_until
from tests.faults.place import Site, pass_time
from tests.ledger import Ledger

pytestmark = [pytest.mark.redis, pytest.mark.processes]

LEASE = 6.0
"""Seconds; a busy machine lets a worker that renews it every two of them wait for less than the other four."""
APP = "tests.apps.callers:registry"


def lines(path: Path) -> list[str]:
    """The lines of a file; none while there is no file."""
    return path.read_text().splitlines() if path.exists() else []


def callers(site: Site, desk: Path, count: int, patience: float = 60.0) -> list[Any]:
    """Workers whose behaviours call tools. One that has slept for longer than its patience blames the server first."""
    started = [
        site.worker(app=APP, lease=LEASE, LION_BROKER_PATIENCE=str(patience), DESK=str(desk)) for _ in range(count)
    ]
    for one in started:
        one.ready()
    return started


def remote_of(session: Session, behaviour: str) -> RemoteBranch:
    """A branch on those workers."""
    branch: RemoteBranch = session.new_branch(name=behaviour, pool="p", behaviour=behaviour, tools=["tap"])
    return branch


def heard(session: Session) -> list[str]:
    """What came back, once nothing is on its way any more."""
    session.wait_idle(timeout=60)
    session.default_branch.receive_all()
    return [message.text for message in session.default_branch.messages]


def test_a_behaviour_that_blocks_its_worker_keeps_its_branch(site: Site, tmp_path: Path) -> None:
    """Leases are renewed by a thread: for two lengths nothing else runs there, and no other worker begins the mail."""
    with Session(exchange=site.connect(), delivery="auto") as session:
        remote = remote_of(session, "blocks")
        callers(site, tmp_path, 2)
        session.default_branch.send(remote, "message", str(2 * LEASE))
        assert heard(session) == ["done"]
        assert len(lines(tmp_path / "blocks")) == 1
        assert session.counters()["redelivered"] == 0


def test_no_call_begins_while_the_server_is_away(site: Site, tmp_path: Path) -> None:
    """A worker that cannot prolong its lease begins no other call; the one that it was making is made twice at most."""
    with Session(exchange=site.connect(), delivery="auto") as session:
        remote = remote_of(session, "taps")
        (worker,) = callers(site, tmp_path, 1, 0.5)
        session.default_branch.send(remote, "message", "60")
        wait_until(lambda: len(lines(tmp_path / "taps")) > 4)
        with site.server.frozen():
            before = len(lines(tmp_path / "taps"))
            wait_until(lambda: "could not be renewed" in worker.errors, 60)
            assert len(lines(tmp_path / "taps")) <= before + 1
        assert heard(session) == ["done"]
        calls = Counter(line.split()[0] for line in lines(tmp_path / "taps"))
        assert set(calls) == {str(number) for number in range(60)}
        assert sum(calls.values()) <= 61
        assert Ledger.of(session.exchange, session.id).doubles() == []


def test_a_zombie_begins_no_call(site: Site, tmp_path: Path) -> None:
    """A worker that slept in the middle of its calls ends the one that it was making, and makes no other."""
    with Session(exchange=site.connect(), delivery="auto") as session:
        remote = remote_of(session, "taps")
        (zombie,) = callers(site, tmp_path, 1)
        session.default_branch.send(remote, "message", "40")
        wait_until(lambda: len(lines(tmp_path / "taps")) > 4)
        zombie.freeze()
        before = len(lines(tmp_path / "taps"))
        callers(site, tmp_path, 1)
        assert heard(session) == ["done"]
        zombie.thaw()
        wait_until(lambda: "hosted elsewhere" in zombie.errors)
        calls = [line.split() for line in lines(tmp_path / "taps")]
        assert len([pid for _, pid in calls if pid == str(zombie.pid)]) <= before + 1
        assert len(calls) <= 42
        assert {number for number, _ in calls} == {str(number) for number in range(40)}
        assert session.counters()["redelivered"] == 1


def test_a_look_at_a_living_owner_costs_no_time(site: Site) -> None:
    """A sweep that finds a lease alive looks again when it ends, and not a whole lease later."""
    exchange = site.connect()
    with Session(exchange=exchange, delivery="auto") as session, site.server.client() as client:
        remote = session.new_branch(name="remote", pool="p")
        session.default_branch.send(remote, "message", "hello")
        (ready,) = exchange.call(ReadReady("p", "owner", 1))
        pass_time(site.server, 0.1)
        claim = Claim(session.id, remote.id, "token", ready.id, "p", "owner", lease_ms=90)
        # One behind the other, so that the lease cannot end in between.
        assert exchange.call_all((claim, Sweep("p", 100)))[1].seen == 1
        pipe = client.pipeline()
        pipe.xpending_range(f"{site.root}ready:p", "workers", "-", "+", 1)
        pipe.hget(f"{site.root}s:{session.id}:b:{remote.id}", "lease")
        pipe.time()
        (pending,), lease, (seconds, micros) = pipe.execute()
        left = int(lease) - (seconds * 1000 + micros // 1000)
        assert abs(pending["time_since_delivered"] + left - 100) <= 1
