"""A worker that is started while another one has all branches gets its part of them."""

from __future__ import annotations

import pytest

from lion_broker import Session
from lion_broker.mail.records import START
from lion_broker.mail.verbs import ReadBranches
from lion_broker.testing import wait_until
from tests.stage import Program, Stage

pytestmark = [pytest.mark.redis, pytest.mark.processes]

BRANCHES, MAILS = 20, 400
LEASE = 60.0
"""A lease that does not end here: what changes hands was handed back."""


def held_by(session: Session, worker: Program) -> int:
    """How many branches a worker has at the moment."""
    records = session.exchange.call(ReadBranches(session.id))
    return sum(f":{worker.process.pid}:" in record.owner for record in records)


def all_begun(session: Session) -> bool:
    """Whether each branch has had a turn."""
    return all(record.cursor != START for record in session.exchange.call(ReadBranches(session.id)) if record.seed.pool)


def test_who_comes_later_gets_branches_of_who_cannot_keep_up(stage: Stage) -> None:
    """Long before the first one is done with any of them, and nothing is lost, doubled or out of order."""
    with Session(exchange=stage.exchange, delivery="auto") as session:
        branches = [session.new_branch(pool="p", behaviour="compute") for _ in range(BRANCHES)]
        with session.batch():
            for number in range(BRANCHES * MAILS):
                session.default_branch.send(branches[number % BRANCHES], "message", str(number))
        stage.worker("tests.apps.busy:registry", "p", lease=LEASE)
        wait_until(lambda: all_begun(session))
        second = stage.worker("tests.apps.busy:registry", "p", lease=LEASE)
        wait_until(lambda: held_by(session, second) > 1, timeout=60)
        assert session.counters()["applied"] < BRANCHES * MAILS / 2
        assert session.counters()["redelivered"] == 0
        session.delete()
