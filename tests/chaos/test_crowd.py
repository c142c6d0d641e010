"""More branches that are ready than workers have seats, most of them in the overflow, while workers come and go."""

from __future__ import annotations

import pytest

from lion_broker import Session
from lion_broker.testing import wait_until
from tests.chaos.ground import Ground
from tests.ledger import Ledger
from tests.stage import Program

pytestmark = [pytest.mark.redis, pytest.mark.processes, pytest.mark.chaos]

BRANCHES = 150
MAILS = 4


def small(place: Ground) -> Program:
    """A worker with few seats and short turns, so that branches wait in its line."""
    worker = place.worker("tests.apps.desk:registry", "p", "--concurrency", "4", "--batch", "2", "--grace", "0.1")
    worker.ready()
    return worker


def applied(session: Session, count: int) -> None:
    """Wait until so many mails have taken effect."""
    wait_until(lambda: session.counters()["applied"] >= count, 120)


def test_workers_come_and_go(place: Ground, session: Session) -> None:
    """One is killed, one loses the answers to its reads, one is told to stop: each mail takes effect once, in order."""
    with session.batch():
        crowd = [session.new_branch(name=f"b{n}", pool="p", behaviour="echo") for n in range(BRANCHES)]
        for number in range(MAILS):
            for branch in crowd:
                session.default_branch.send(branch, "message", f"{branch.name}:{number}")
    overflow = f"lion:{{{place.namespace}:0}}:overflow:p"
    assert place.server.client.xlen(overflow) > BRANCHES / 2
    place.proxy.drop_answer(b"XREADGROUP", times=3, longer_than=10)
    killed = small(place)
    applied(session, 20)
    killed.kill()
    told = small(place)
    applied(session, 100)
    assert told.stop() == 0
    last = small(place)
    session.wait_idle()
    ledger = Ledger.of(place.straight(), session.id)
    for branch in crowd:
        assert ledger.texts[branch.id] == [f"{branch.name}:{number}" for number in range(MAILS)]
    assert ledger.doubles() == ledger.gaps() == []
    session.default_branch.receive_all()
    assert len(session.default_branch.messages) == BRANCHES * MAILS
    assert session.dead_letters == []
    place.wait_closed(session.id)
    assert place.proxy.injected["answer dropped"] == 3
    assert last.alive
