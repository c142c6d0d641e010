"""Mail is withdrawn while workers claim it: each is handled, or a dead letter, never both and never neither."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from lion_broker import Session
from lion_broker.broker.keys import Keys
from lion_broker.session.withdrawing import TakenOut
from lion_broker.testing import wait_until
from tests.ledger import Ledger
from tests.stage import Stage

pytestmark = [pytest.mark.redis, pytest.mark.processes]

BRANCHES, MAILS = 4, 60


@pytest.fixture
def session(stage: Stage) -> Iterator[Session]:
    """A session with automatic delivery."""
    with Session(exchange=stage.exchange, delivery="auto") as session:
        yield session


def test_two_who_withdraw_race_two_workers(session: Session, stage: Stage) -> None:
    """What comes of it adds up, the order holds, nothing is left in flight and no branch is stuck."""
    stage.workers(2, pool="p")
    far = [session.new_branch(name=f"far{n}", pool="p", behaviour="echo") for n in range(BRANCHES)]
    home = session.default_branch
    done: list[TakenOut] = []
    others = [Session.open(session.id, exchange=stage.connect()) for _ in range(2)]

    def take_out(other: Session) -> None:
        while not stop:
            done.append(other.withdraw(None, category="message", by="a race"))

    stop: list[bool] = []
    racing = [Thread(target=take_out, args=(other,)) for other in others]
    for thread in racing:
        thread.start()
    for n in range(MAILS):
        for branch in far:
            home.send(branch, "message", f"{n:03}")
        session.flush()
    session.wait_idle()
    stop.append(True)
    for thread in racing:
        thread.join(60)
    for other in others:
        other.close()
    ledger = Ledger.of(session.exchange, session.id)
    letters = Counter(one.mail.id for one in session.dead_letters if one.mail)
    withdrawn = [mail for one in done for mail in one.letters]
    handled = {mail for mail in ledger.effects if ledger.effects[mail]}
    assert ledger.doubles() == []
    assert ledger.gaps() == []
    assert max(letters.values(), default=1) == 1
    assert sorted(letters) == sorted(withdrawn)
    assert not handled & letters.keys()
    to_far = sum(len(ledger.texts.get(branch.id, ())) for branch in far)
    dead = sum(one.branch in {branch.id for branch in far} for one in session.dead_letters)
    assert to_far + dead == BRANCHES * MAILS
    assert all(ledger.texts.get(branch.id, []) == sorted(ledger.texts.get(branch.id, [])) for branch in far)
    assert session.counters()["inflight"] == 0
    # None is stuck: each takes its next mail.
    for branch in far:
        home.send(branch, "message", "last")
    session.flush()
    session.wait_idle()
    assert [Ledger.of(session.exchange, session.id).texts[branch.id][-1] for branch in far] == ["last"] * BRANCHES


def test_the_mail_of_a_worker_that_hangs(session: Session, stage: Stage, tmp_path: Path) -> None:
    """It is withdrawn when the lease is over, and what the worker commits when it wakes is void."""
    remote = session.new_branch(name="remote", pool="p", behaviour="wait")
    worker = stage.worker(pool="p", DESK=str(tmp_path))
    session.default_branch.send(remote, "message", "one")
    session.flush()
    wait_until((tmp_path / "one.begun").exists)
    # What came with the ready entry has a lease from the first renewal on. Before that only a sweep takes it away, and
    # the worker that hangs is the only one that sweeps here.
    key = Keys(stage.exchange.namespace).branch(session.id, remote.id)
    wait_until(lambda: stage.server.client.hexists(key, "lease"))
    worker.freeze()
    done = wait_until(lambda: one if (one := session.withdraw(None, branch=remote)).count else None)
    assert done.left == {}
    (tmp_path / "go").touch()
    worker.thaw()
    session.default_branch.send(remote, "message", "two")
    session.flush()
    session.wait_idle()
    ledger = Ledger.of(session.exchange, session.id)
    assert ledger.texts[remote.id] == ["two"]
    assert ledger.doubles() == []
    assert [one.reason for one in session.dead_letters] == ["withdrawn"]
