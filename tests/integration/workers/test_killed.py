"""A worker that dies at some point of a turn: another one takes over, nothing is lost, nothing is done twice."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lion_broker import Session
from lion_broker.testing import wait_until
from tests.ledger import Ledger
from tests.stage import Stage

pytestmark = [pytest.mark.redis, pytest.mark.processes]

LEASE = 5.0
"""One that ends when its worker has died, and not when a busy machine lets a worker wait for some seconds."""
POINTS = ["before Claim", "after Claim", "before Commit", "after Commit"]


@pytest.fixture
def session(stage: Stage) -> Iterator[Session]:
    """A session with automatic delivery."""
    with Session(exchange=stage.exchange, delivery="auto") as session:
        yield session


def check(session: Session, mails: int) -> Ledger:
    """Insist that every mail took effect once and that the logs are whole."""
    ledger = Ledger.of(session.exchange, session.id)
    assert sum(ledger.effects.values()) == mails
    assert ledger.doubles() == []
    assert ledger.gaps() == []
    assert session.dead_letters == []
    return ledger


def test_in_the_middle_of_a_mail(session: Session, stage: Stage, tmp_path: Path) -> None:
    """The mail that was begun is done again by another worker, and its answer is sent once."""
    remote = session.new_branch(name="remote", pool="p", behaviour="wait")
    home = session.default_branch
    first = stage.worker(pool="p", lease=LEASE, DESK=str(tmp_path))
    home.send(remote, "message", "one")
    home.send(remote, "message", "two")
    wait_until((tmp_path / "one.begun").exists)
    first.kill()
    (tmp_path / "go").touch()
    stage.worker(pool="p", lease=LEASE, DESK=str(tmp_path))
    session.wait_idle()
    home.receive_all()
    assert [message.instruction for message in home.messages] == ["re one", "re two"]
    assert check(session, 4).texts[remote.id] == ["one", "two"]
    assert session.counters()["redelivered"] == 1


def test_in_the_middle_of_a_batch(session: Session, stage: Stage, tmp_path: Path) -> None:
    """What was handled of a batch before the end is done again or not, but never seen twice."""
    remote = session.new_branch(name="remote", pool="p", behaviour="wait")
    home = session.default_branch
    (tmp_path / "go").touch()
    first = stage.worker(pool="p", DESK=str(tmp_path))
    first.ready()
    with session.batch():
        for number in range(60):
            home.send(remote, "message", f"{home.id}:{number}")
    wait_until((tmp_path / f"{home.id}:7.begun").exists)
    first.kill()
    stage.worker(pool="p", DESK=str(tmp_path))
    session.wait_idle()
    home.receive_all()
    ledger = check(session, 120)
    assert ledger.texts[remote.id] == [f"{home.id}:{number}" for number in range(60)]
    assert [message.instruction for message in home.messages] == [f"re {home.id}:{number}" for number in range(60)]


@pytest.mark.parametrize("point", POINTS)
def test_at_one_point_of_the_road(session: Session, stage: Stage, point: str) -> None:
    """A worker that dies before or after a call leaves the branch to the next one as that call left it."""
    remote = session.new_branch(name="remote", pool="p", behaviour="moody")
    home = session.default_branch
    if "Claim" in point:
        # The mark of a branch that is idle hands out its first mail, and nothing is claimed.
        session.pause(remote)
    doomed = stage.worker(pool="p", module="tests.apps.crashing", CRASH_AT=point)
    for number in range(5):
        home.send(remote, "message", f"{home.id}:{number}")
    session.resume(remote)
    assert doomed.wait() == 9
    stage.worker(pool="p")
    session.wait_idle()
    home.receive_all()
    assert check(session, 10).texts[remote.id] == [f"{home.id}:{number}" for number in range(5)]
    assert len(home.messages) == 5


@pytest.mark.parametrize("point", ["before Commit", "after Commit"])
def test_before_the_next_attempt(session: Session, stage: Stage, point: str) -> None:
    """A failing mail that loses its worker as well is still tried a bounded number of times, and holds up no other."""
    remote = session.new_branch(name="remote", pool="p", behaviour="moody")
    home = session.default_branch
    doomed = stage.worker(pool="p", module="tests.apps.crashing", CRASH_AT=point)
    home.send(remote, "message", "fail")
    assert doomed.wait() == 9
    home.send(remote, "message", "well")
    stage.worker(pool="p")
    session.wait_idle()
    home.receive_all()
    (letter,) = session.dead_letters
    assert letter.mail is not None
    assert letter.mail.item()["item"] == "fail"
    assert [message.instruction for message in home.messages] == ["re well"]
