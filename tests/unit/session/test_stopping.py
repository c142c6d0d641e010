"""Mail that a worker has in hand is stopped by whoever has its session open: it is a dead letter, the rest goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lion_broker import ConfigError, ItemNotFoundError, Session
from lion_broker.mail.memory import MemoryExchange
from lion_broker.mail.records import Deferral
from lion_broker.mail.verbs import Claim, Commit, ReadAudit, ReadReady, ReadWaiting, Release, Renew, Station
from lion_broker.mail.waiting import WaitsAt
from lion_broker.session.withdrawing import TakenOut
from tests.conformance.road import TURN


@pytest.fixture
def auto() -> Iterator[Session]:
    """A session with automatic delivery and a remote branch on a pool that nobody serves."""
    with Session(exchange=MemoryExchange(), delivery="auto") as session:
        session.new_branch(name="far", pool="p", behaviour="echo")
        yield session


def say(session: Session, *items: str) -> list[str]:
    """Send messages from the default branch; the ids of the mails."""
    far = session.get_branch("far")
    for item in items:
        session.default_branch.send(far, "message", item)
    session.flush()
    rows = session.exchange.call(ReadWaiting(session.id, far.id, WaitsAt.MAILBOX, count=1000))
    return [row.mail.id for row in rows][-len(items) :]  # type: ignore[union-attr]


def take(session: Session, batch: int = 1, lease_ms: int = 60_000) -> Any:
    """Have a worker take the branch with so many mails; returns what it was given."""
    far = session.get_branch("far").id
    (ready,) = session.exchange.call(ReadReady("p", "worker", 10))
    return session.exchange.call(Claim(session.id, far, "t1", ready.id, "p", "worker", lease_ms, batch))


def at(session: Session, mail: str) -> None:
    """Have the worker say which mail it is at."""
    session.exchange.call(Renew((Station(session.id, session.get_branch("far").id, "t1"),), 60_000, (mail,)))


def test_what_a_branch_is_at(auto: Session) -> None:
    """The only mail in hand; the letter says who and why, the audit as well, and what waits stays."""
    one, _two = say(auto, "One.", "Two.")
    take(auto)
    done = auto.stop_mail(branch="far", reason="It costs too much.", by="Ada")
    (letter,) = auto.dead_letters
    assert done == TakenOut({one: letter.id})
    assert (letter.reason, letter.detail) == ("stopped", "Stopped by Ada: It costs too much.")
    (entry,) = auto.exchange.call(ReadAudit())
    assert (entry.who, entry.what, entry.detail) == ("Ada", "stop mail", f"1: {one} (It costs too much)")
    assert auto.counters()["inflight"] == 1


def test_the_one_of_several_that_it_has_named(auto: Session) -> None:
    """Also behind the first; before the worker has said which it is, none of them is."""
    _one, two, _three = say(auto, "One.", "Two.", "Three.")
    take(auto, batch=3)
    at(auto, two)
    assert list(auto.stop_mail(branch="far").letters) == [two]


def test_which_of_several_is_not_guessed(auto: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the worker does not say within some time, all of them stay, and are told."""
    monkeypatch.setattr("lion_broker.session.stopping._SECONDS", 0.0)
    mails = say(auto, "One.", "Two.")
    take(auto, batch=2)
    at(auto, "something that is done")
    done = auto.stop_mail(branch="far")
    assert (done.letters, list(done.left)) == ({}, mails)
    assert "has 2 mails in hand and has not said which" in done.left[mails[0]]
    assert auto.dead_letters == []


def test_nothing_at_work(auto: Session) -> None:
    """Nothing waits, nobody has it, or it was stopped a moment ago: nothing is stopped, nor written down."""
    assert auto.stop_mail(branch="far") == TakenOut()
    say(auto, "One.", "Two.")
    assert auto.stop_mail(branch="far") == TakenOut()
    take(auto)
    assert auto.stop_mail(branch="far").count == 1
    assert auto.stop_mail(branch="far") == TakenOut()
    assert len(auto.exchange.call(ReadAudit())) == 1


def test_named_mails_wherever_they_are(auto: Session) -> None:
    """In hand or waiting by now, they are not handled; what was handled or is dead is told as that."""
    one, two, three = say(auto, "One.", "Two.", "Three.")
    take(auto)
    done = auto.stop_mail([one, two, "no such mail"], by="Ada")
    letters = {one.mail.id: one for one in auto.dead_letters if one.mail}
    assert done.letters == {one: letters[one].id, two: letters[two].id}
    assert [(one.reason, one.detail) for one in letters.values()] == [
        ("stopped", "Stopped by Ada."), ("withdrawn", "Withdrawn by Ada.")
    ]  # fmt: skip
    assert "it was handled, or there is no such mail" in done.left["no such mail"]
    again = auto.stop_mail(one)
    assert again.left == {
        one: f"it is a dead letter already (stopped): `lion-broker dead show {auto.id} {letters[one].id}`"
    }
    assert auto.stop_mail(three).count == 1


def test_one_that_waits_to_be_tried_again(auto: Session) -> None:
    """It has failed meanwhile: it is taken out of its lane."""
    (one,) = say(auto, "One.")
    far, given = auto.get_branch("far"), take(auto)
    entry = given.entries[0]
    lane = Deferral(entry.id, auto.default_branch.id, 60_000, 1)
    verb = Commit(auto.id, far.id, "t1", given.cursor, entry.id, given.version, (TURN,), deferred=(lane,))
    auto.exchange.call(verb)
    assert auto.stop_mail(branch=far) == TakenOut()
    assert auto.stop_mail(one).count == 1
    assert auto.dead_letters[0].reason == "withdrawn"


def test_one_that_changes_hands_meanwhile(auto: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Handed back after it was looked for, it waits; begun after it was looked for, it is stopped."""
    one, two = say(auto, "One.", "Two.")
    given = take(auto)
    station = Station(auto.id, auto.get_branch("far").id, "t1")
    ask = auto.exchange.call_all
    turns: list[Callable[[], Any]] = [lambda: auto.exchange.call(Release((station,))), lambda: take(auto)]

    def call_all(verbs: Any) -> Any:
        if turns and type(verbs[0]).__name__ == "Withdraw":
            turns.pop(0)()
        return ask(verbs)

    monkeypatch.setattr(auto.exchange, "call_all", call_all)
    assert given.entries[0].mail.id == one
    assert list(auto.stop_mail(one).letters) == [one]
    assert turns == []
    assert [letter.reason for letter in auto.dead_letters] == ["stopped"]
    assert auto.counters()["inflight"] == 1
    assert two not in {letter.mail.id for letter in auto.dead_letters if letter.mail}


def test_what_cannot_be_meant(auto: Session) -> None:
    """Neither mails nor a branch, both, or a branch that is not there."""
    with pytest.raises(ConfigError, match="Name mails, or the branch"):
        auto.stop_mail()
    with pytest.raises(ConfigError, match="Name mails, or the branch"):
        auto.stop_mail("one", branch="far")
    with pytest.raises(ItemNotFoundError):
        auto.stop_mail(branch="nobody")
    with pytest.raises(ConfigError, match="named by itself or its id"):
        auto.stop_mail([7])


@pytest.mark.anyio
async def test_without_blocking(auto: Session) -> None:
    """The same in an event loop."""
    (one,) = say(auto, "One.")
    take(auto)
    assert list((await auto.astop_mail(branch="far")).letters) == [one]
