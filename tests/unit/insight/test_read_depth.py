"""How far back logs are read: the answer is that of all logs, for the records that it takes and not for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest

from lion_broker import Branch, Mail, Registry, Session, Worker
from lion_broker.errors import ItemNotFoundError
from lion_broker.insight import pending, read_depth
from lion_broker.insight.lanes import lanes_steps
from lion_broker.insight.mail_search import find_mail_steps, list_mails_steps
from lion_broker.insight.passages import Passages
from lion_broker.insight.recent import RecentHistory
from lion_broker.insight.trace import trace_steps
from lion_broker.mail.exchange import Steps, run
from lion_broker.mail.memory import MemoryExchange
from lion_broker.mail.memory.store import Store
from lion_broker.mail.verbs import ReadLog

MAILS = 300
registry = Registry()


@registry.behaviour("note", record=False)
async def note(branch: Branch, mail: Mail) -> None:
    """Do nothing with a mail."""


@dataclass
class TurnClock:
    """The time of the server, which the test moves, and how far that of those who make ids is ahead of it."""

    ms: int = 1_800_000_000_000
    ahead: int = 0
    made: Iterator[int] = field(default_factory=count)

    def text(self) -> str:
        """A new id of now, as version 7 has them."""
        digits, number = f"{self.ms + self.ahead:012x}", next(self.made)
        return f"{digits[:8]}-{digits[8:]}-7000-8000-{number:012x}"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> TurnClock:
    """A clock that stands, and bounds that a small session is beyond."""
    clock = TurnClock()
    monkeypatch.setattr(Store, "now", lambda store: clock.ms)
    monkeypatch.setattr("lion_broker.core.ids._text", clock.text)
    monkeypatch.setattr(read_depth, "_LARGE", 50)
    monkeypatch.setattr(read_depth, "_STRETCHES", (60, 200))
    return clock


@pytest.fixture
def session(clock: TurnClock) -> Iterator[Session]:
    """Three hundred mails from ada to ben, one each second and in a turn of its own."""
    with Session(exchange=MemoryExchange(), delivery="auto") as session:
        ada, ben = session.new_branch(name="ada"), session.new_branch(name="ben")
        for number in range(MAILS):
            clock.ms += 1000
            ada.send(ben, "message", f"{number}")
            ben.receive_all()
            session.flush()
        clock.ms += 1000
        yield session


def read(session: Session, steps: Steps[Any]) -> tuple[Any, int]:
    """Take steps, and count the records of logs that they read."""
    verbs, records = next(steps), 0
    while True:
        answers = session.exchange.call_all(verbs)
        records += sum(len(page) for verb, page in zip(verbs, answers, strict=True) if isinstance(verb, ReadLog))
        try:
            verbs = steps.send(answers)
        except StopIteration as done:
            return done.value, records


def texts(session: Session, most: int, **chosen: Any) -> tuple[list[str], int]:
    """List the newest mails that fit, and count records."""
    fits = chosen.pop("fits", lambda one, names: True)
    found, records = read(session, list_mails_steps([session.id], fits, most, **chosen))
    return [one.text for _, one in found.mails], records


def test_the_newest_mails_cost_what_they_take(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stretch of the logs, a further one for more, and all of them for all."""
    newest, records = texts(session, 5)
    assert newest == ["295", "296", "297", "298", "299"]
    assert records < 90
    newest, records = texts(session, 40)
    assert newest == [f"{number}" for number in range(260, 300)]
    assert records < 400
    every, records = texts(session, MAILS)
    assert every == [f"{number}" for number in range(MAILS)]
    assert records > 2 * MAILS
    monkeypatch.setattr(read_depth, "_LARGE", 10**6)
    assert texts(session, 5)[1] > 2 * MAILS


def test_what_is_not_among_the_newest_is_found(session: Session) -> None:
    """The logs are read further, and at last whole: nothing that fits is left out."""
    assert texts(session, 5, fits=lambda one, names: one.text == "3")[0] == ["3"]
    assert texts(session, 2, fits=lambda one, names: one.text.endswith("0"))[0] == ["280", "290"]


def test_mail_that_stands_is_known_however_old(session: Session, clock: TurnClock) -> None:
    """What is dead, and was so before all that was read first, is listed with what its log tells."""
    clerk = session.new_branch(name="clerk", pool="nobody")
    session.get_branch("ada").send(clerk, "message", "waits")
    newest, records = texts(session, 5, states=("waiting",))
    assert newest == ["waits"]
    assert records < 90
    session.withdraw(session.mails_df()["mail"].iloc[-1])
    for number in range(100):
        clock.ms += 1000
        session.get_branch("ada").send(session.get_branch("ben"), "message", f"later {number}")
        session.get_branch("ben").receive_all()
        session.flush()
    assert texts(session, 5, states=("dead",))[0] == ["waits"]
    newest, records = texts(session, 1)
    assert newest == ["later 99"]
    assert records < 90


def test_one_mail_is_read_from_when_it_was_sent(session: Session, clock: TurnClock) -> None:
    """A new one costs little, by either end of its id; an old one is found, and what is not there is said to be not."""
    mails = [one.mail for _, one in run(session.exchange, list_mails_steps([session.id], every, MAILS)).mails]
    for piece in (mails[-1], mails[-1][-9:]):
        found, records = read(session, find_mail_steps(piece, session.id))
        assert (found.trace.passage.text, found.trace.passage.state) == ("299", "applied")
        assert records < 90
    for piece in (mails[2], mails[2][-9:]):
        assert read(session, find_mail_steps(piece, session.id))[0].trace.passage.text == "2"
    assert read(session, trace_steps(session.id, mails[-1]))[1] < 90
    with pytest.raises(ItemNotFoundError):
        read(session, find_mail_steps(f"{mails[-1][:-3]}fff", session.id))
    # Without a session it is looked for where it is by its time, and where that is wrong, everywhere.
    clock.ahead = 10_000_000
    session.get_branch("ada").send(session.get_branch("ben"), "message", "from tomorrow")
    clock.ahead = 0
    for number in range(250):
        clock.ms += 1000
        session.get_branch("ada").send(session.get_branch("ben"), "message", f"later {number}")
        session.get_branch("ben").receive_all()
        session.flush()
    ahead = max(one.mail for _, one in run(session.exchange, list_mails_steps([session.id], every, 1000)).mails)
    assert read(session, find_mail_steps(ahead))[0].trace.passage.text == "from tomorrow"
    # Of so short an end another mail may be meant as well, far back.
    assert read(session, find_mail_steps(mails[-1][-6:], session.id))[1] > 2 * MAILS


def test_an_old_mail_is_found_by_its_end(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where more came after it than is kept in mind."""
    mails = [one.mail for _, one in run(session.exchange, list_mails_steps([session.id], every, MAILS)).mails]
    monkeypatch.setattr(read_depth, "_KEPT", 20)
    found = run(session.exchange, find_mail_steps(mails[2][-9:], session.id))
    assert (found.trace.passage.mail, found.trace.passage.text) == (mails[2], "2")
    with pytest.raises(ItemNotFoundError, match="There is no mail"):
        run(session.exchange, find_mail_steps("ffffffff", session.id))


def test_lanes_begin_with_the_newest(session: Session) -> None:
    """A page of them is read as far as it reaches."""
    lanes, records = read(session, lanes_steps(session.id, count=5))
    assert ([one.text for one in lanes.passages], lanes.more) == (["295", "296", "297", "298", "299"], True)
    assert records < 90


def test_a_branch_that_is_behind_is_not_read_whole(clock: TurnClock) -> None:
    """What it has handled in a turn was delivered long before: turns before that have nothing that is newer."""
    with Session(exchange=MemoryExchange(), delivery="auto") as session:
        clerk = session.new_branch(name="clerk", pool="p", behaviour="note")
        for number in range(100):
            clock.ms += 1000
            session.default_branch.send(clerk, "message", f"{number}")
        clock.ms += 10_000
        asyncio.run(Worker(registry, exchange=session.exchange, pool="p", batch=1).run(until_idle=True))
        history = RecentHistory(session.id, records=60)
        run(session.exchange, Passages(session.id, history=history).read_steps())
        assert history.cut
        assert history.told_from() == clock.ms / 1000
        assert history.handled_from() < clock.ms / 1000 - 20


def test_of_a_long_backlog_the_newest_is_known_to_wait(clock: TurnClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """More waits than is looked at, from the oldest on: the newest is found by when its mailbox got it."""
    monkeypatch.setattr(read_depth, "_KEPT", 20)
    monkeypatch.setattr(read_depth, "_PENDING", 10)
    monkeypatch.setattr(pending, "_PAGE", 10)
    with Session(exchange=MemoryExchange(), delivery="auto") as session:
        clerks = [session.new_branch(name=f"clerk {number}", pool="nobody") for number in range(2)]
        for number in range(100):
            clock.ms += 1000
            session.default_branch.send(clerks[number % 2], "message", f"{number}")
        steps = list_mails_steps([session.id], every, 3)
        newest = [one for _, one in run(session.exchange, steps).mails]
        assert [(one.text, one.state, one.where) for one in newest] == [
            (f"{number}", "waiting", "mailbox") for number in (97, 98, 99)
        ]
        found = run(session.exchange, find_mail_steps(newest[-1].mail, session.id)).trace.passage
        assert (found.text, found.state) == ("99", "waiting")


def every(one: object, names: object) -> bool:
    """Whatever it is."""
    return True
