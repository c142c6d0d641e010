"""The newest of a large session: a bounded part of its branches and logs, and what is said of the rest."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lion_broker import Session
from lion_broker.errors import ItemNotFoundError
from lion_broker.insight.history import History
from lion_broker.insight.passages import Passages
from lion_broker.insight.recent import RecentHistory
from lion_broker.mail.exchange import run
from lion_broker.mail.memory import MemoryExchange


@pytest.fixture
def session() -> Iterator[Session]:
    """A session in this process whose mail flows by itself."""
    with Session(exchange=MemoryExchange(), delivery="auto") as session:
        yield session


def exchange_mail(session: Session, count: int) -> None:
    """Have ada send so many mails to ben, one a turn, who takes each in a turn of his own."""
    ada, ben = session.get_branch("ada"), session.get_branch("ben")
    for number in range(count):
        ada.send(ben, "message", f"{number}")
        ben.receive_all()
        session.flush()


def read(session: Session, history: RecentHistory) -> Passages:
    """Read a session into passages."""
    passages = Passages(session.id, history=history)
    run(session.exchange, passages.read_steps())
    return passages


def test_a_small_session_is_read_whole(session: Session) -> None:
    """The same mail in the same states as without a bound, also when it is gone on with."""
    for name in ("ada", "ben"):
        session.new_branch(name=name)
    recent, every = RecentHistory(session.id), History(session.id)
    for count in (3, 2, 40):
        exchange_mail(session, count)
        session.get_branch("ada").send(session.get_branch("ben"), "message", "waits")
        passages = read(session, recent)
        run(session.exchange, every.read_steps())
        assert not recent.cut
        assert recent.edges == every.edges
        states = [one.state for one in passages.all()]
        assert states == ["applied"] * (len(states) - 1) + ["waiting"]
        exchange_mail(session, 1)


def test_of_a_long_log_the_newest_is_read(session: Session) -> None:
    """As many records as there is room for; it is said that there is more, and no mail is taken for lost."""
    for name in ("ada", "ben"):
        session.new_branch(name=name)
    exchange_mail(session, 300)
    recent = RecentHistory(session.id, records=120)
    passages = read(session, recent)
    assert recent.cut
    assert 60 <= recent.taken <= 240
    texts = [one.text for one in passages.all() if one.state == "applied"]
    assert texts[-1] == "299"
    assert texts == [f"{number}" for number in range(300 - len(texts), 300)]
    assert {one.state for one in passages.all()} <= {"applied", "sent"}
    before = recent.taken
    exchange_mail(session, 2)
    passages = read(session, recent)
    assert [one.text for one in passages.all()[-3:]] == ["299", "0", "1"]
    assert recent.taken - before < 30


def test_what_happened_unseen_is_left_out(session: Session) -> None:
    """A session that went on further than is read at once: the newest is there, and what lies between is not."""
    for name in ("ada", "ben"):
        session.new_branch(name=name)
    recent = RecentHistory(session.id, records=120)
    exchange_mail(session, 5)
    assert [one.text for one in read(session, recent).all()] == ["0", "1", "2", "3", "4"]
    exchange_mail(session, 300)
    passages = read(session, recent)
    assert recent.cut
    texts = [one.text for one in passages.all() if one.state == "applied"]
    assert texts[:5] == ["0", "1", "2", "3", "4"]
    assert texts[-1] == "299"
    assert len(texts) < 200


def test_of_many_branches_those_that_turned_last_are_read(session: Session) -> None:
    """And one that is asked for, whatever the others."""
    hub = session.new_branch(name="hub")
    branches = [session.new_branch(name=f"branch {number}") for number in range(40)]
    for branch in branches:
        hub.send(branch, "message", f"to {branch.name}")
        branch.receive_all()
        session.flush()
    recent = RecentHistory(session.id, branches=10)
    passages = read(session, recent)
    assert recent.cut
    assert recent.total == 42
    assert recent.logs <= 12
    states = {one.recipient: one.state for one in passages.all()}
    assert states[branches[39].id] == "applied"
    assert states[branches[3].id] == "sent"
    recent.wanted.append(branches[3].id)
    states = {one.recipient: one.state for one in read(session, recent).all()}
    assert states[branches[3].id] == "applied"


def test_there_is_no_such_session(session: Session) -> None:
    """It says so."""
    with pytest.raises(ItemNotFoundError, match="lion-broker session ls"):
        run(session.exchange, RecentHistory("nobody").read_steps())
