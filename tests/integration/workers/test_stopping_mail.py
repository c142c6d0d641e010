"""What real workers are at is stopped: once accepted nobody begins it again, whatever becomes of the worker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from lion_broker import Session
from lion_broker.session.withdrawing import TakenOut, waiting_steps
from lion_broker.testing import wait_until
from tests.ledger import Ledger
from tests.stage import Stage

pytestmark = [pytest.mark.redis, pytest.mark.processes]

BRANCHES, MAILS = 3, 40


@pytest.fixture
def session(stage: Stage) -> Iterator[Session]:
    """A session with automatic delivery."""
    with Session(exchange=stage.exchange, delivery="auto") as session:
        yield session


def test_the_worker_goes_on(session: Session, stage: Stage, tmp_path: Path) -> None:
    """It cancels what would never end, long before its lease would, and begins the next mail."""
    remote = session.new_branch(name="remote", pool="p", behaviour="wait")
    stage.worker(pool="p", lease=600, DESK=str(tmp_path))
    for text in ("one", "two"):
        session.default_branch.send(remote, "message", text)
    session.flush()
    wait_until((tmp_path / "one.begun").exists)
    done = session.stop_mail(branch=remote, by="Ada")
    wait_until((tmp_path / "two.begun").exists)
    (tmp_path / "go").touch()
    session.wait_idle()
    ledger = Ledger.of(session.exchange, session.id)
    assert ledger.texts[remote.id] == ["two"]
    assert [(one.reason, one.detail) for one in session.dead_letters] == [("stopped", "Stopped by Ada.")]
    assert list(done.letters.values()) == [one.id for one in session.dead_letters]
    assert session.counters()["redelivered"] == 0


@pytest.mark.parametrize("first", ["killed", "stopped"])
def test_a_worker_that_is_killed_at_that_moment(session: Session, stage: Stage, tmp_path: Path, first: str) -> None:
    """Just before or just after: what was stopped is begun by nobody, and what is behind it goes on."""
    remote = session.new_branch(name="remote", pool="p", behaviour="wait")
    worker = stage.worker(pool="p", lease=3, DESK=str(tmp_path))
    for text in ("one", "two"):
        session.default_branch.send(remote, "message", text)
    session.flush()
    begun = tmp_path / "one.begun"
    wait_until(begun.exists)
    # It hears nothing of what is done now.
    worker.freeze()
    if first == "killed":
        worker.kill()
    (one,) = session.stop_mail(session_mails(session, remote.id)[:1]).letters
    if first == "stopped":
        worker.kill()
    begun.unlink()
    (tmp_path / "go").touch()
    stage.worker(pool="p", lease=3, DESK=str(tmp_path))
    session.wait_idle()
    ledger = Ledger.of(session.exchange, session.id)
    assert ledger.texts[remote.id] == ["two"]
    assert not begun.exists()
    assert [letter.mail.id for letter in session.dead_letters if letter.mail] == [one]
    assert (ledger.doubles(), ledger.gaps()) == ([], [])


def session_mails(session: Session, branch: str) -> list[str]:
    """The ids of the mails that wait for a branch, or are in hand."""
    return [one.mail for one in session._run(waiting_steps(session.id, branch))]


def test_a_worker_that_hangs(session: Session, stage: Stage, tmp_path: Path) -> None:
    """Others go on when its lease is over; what it does when it wakes is void, and it serves on."""
    remote = session.new_branch(name="remote", pool="p", behaviour="wait")
    worker = stage.worker(pool="p", DESK=str(tmp_path))
    session.default_branch.send(remote, "message", "one")
    session.flush()
    wait_until((tmp_path / "one.begun").exists)
    worker.freeze()
    assert session.stop_mail(session_mails(session, remote.id)).count == 1
    session.default_branch.send(remote, "message", "two")
    (tmp_path / "go").touch()
    stage.worker(pool="p", DESK=str(tmp_path))
    session.wait_idle()
    worker.thaw()
    session.default_branch.send(remote, "message", "three")
    session.wait_idle()
    ledger = Ledger.of(session.exchange, session.id)
    assert ledger.texts[remote.id] == ["two", "three"]
    assert (ledger.doubles(), ledger.gaps()) == ([], [])


def test_code_that_waits_for_nothing(session: Session, stage: Stage, tmp_path: Path) -> None:
    """It cannot be interrupted: it runs to its end, and has no effect."""
    remote = session.new_branch(name="remote", pool="p", behaviour="holds")
    stage.worker("tests.apps.callers:registry", "p", lease=60, DESK=str(tmp_path))
    session.default_branch.send(remote, "message", "first")
    session.flush()
    wait_until((tmp_path / "holds").exists)
    assert session.stop_mail(branch=remote).count == 1
    (tmp_path / "go").touch()
    session.default_branch.send(remote, "message", "second")
    session.wait_idle()
    ledger = Ledger.of(session.exchange, session.id)
    assert ledger.texts[remote.id] == ["second"]
    session.default_branch.receive_all()
    assert [message.text for message in session.default_branch.messages] == ["done"]
    assert [letter.reason for letter in session.dead_letters] == ["stopped"]


def test_two_who_stop_race_two_workers(session: Session, stage: Stage) -> None:
    """Each mail is handled once or a dead letter, the order holds, nothing stays in flight and no branch is stuck."""
    home = session.default_branch
    far = [
        session.new_branch(name=f"far{n}", pool="p", behaviour="forward", metadata={"to": str(home.id)})
        for n in range(BRANCHES)
    ]
    stage.workers(2, pool="p")
    done: list[TakenOut] = []
    others = [Session.open(session.id, exchange=stage.connect()) for _ in range(2)]
    ended: list[bool] = []

    def stop(other: Session) -> None:
        while not ended and sum(one.count for one in done) < 2 * BRANCHES:
            found = [one.mail for one in other._run(waiting_steps(session.id)) if one.held]
            done.extend(other.stop_mail([mail], by="a race") for mail in found[::7][:BRANCHES])

    racing = [Thread(target=stop, args=(other,)) for other in others]
    for thread in racing:
        thread.start()
    for n in range(MAILS):
        for branch in far:
            home.send(branch, "message", f"{n:03}")
    session.flush()
    try:
        session.wait_idle()
    finally:
        ended.append(True)
        for thread in racing:
            thread.join(120)
    for other in others:
        other.close()
    session.wait_idle()
    ledger = Ledger.of(session.exchange, session.id)
    letters = [one.mail.id for one in session.dead_letters if one.mail]
    assert sorted(letters) == sorted(mail for one in done for mail in one.letters)
    assert len(set(letters)) == len(letters)
    assert "stopped" in {one.reason for one in session.dead_letters}
    assert not {mail for mail in ledger.effects if ledger.effects[mail]} & set(letters)
    assert sum(len(ledger.texts.get(branch.id, ())) for branch in far) + len(letters) == BRANCHES * MAILS
    assert all(ledger.texts.get(branch.id, []) == sorted(ledger.texts.get(branch.id, [])) for branch in far)
    assert (ledger.doubles(), ledger.gaps(), session.counters()["inflight"]) == ([], [], 0)
    for branch in far:
        home.send(branch, "message", "last")
    session.wait_idle()
    assert [Ledger.of(session.exchange, session.id).texts[branch.id][-1] for branch in far] == ["last"] * BRANCHES
