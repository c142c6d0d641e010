"""What an export reads and an import puts back: queues are read where they stand, and parts have one effect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lion_broker.errors import ConfigError
from lion_broker.mail.exchange import Exchange
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import (
    BranchSeed,
    DeadLetter,
    Deferral,
    LogRecord,
    Queue,
    Record,
    Waiting,
)
from lion_broker.mail.verbs import (
    IMPORTING,
    CreateBranch,
    CreateSession,
    Pause,
    ReadQueue,
    ReadSession,
    Restore,
    Resume,
)
from lion_broker.mail.wire import WireMail
from tests.conformance.road import Road

LATE = 60_000


def queue(road: Road, branch: str, name: Queue, count: int = 200) -> list[Waiting]:
    """All of a queue, page by page."""
    found: list[Waiting] = []
    past = ""
    while page := road.call(ReadQueue(road.session, branch, name, past, count)):
        found += page
        past = page[-1].place
    return found


def said(waiting: list[Waiting]) -> list[Any]:
    """What the mails of a queue say."""
    return [one.mail.item() for one in waiting if isinstance(one.mail, WireMail)]


@pytest.fixture
def target(exchange: Exchange) -> Road:
    """A session that is being imported, with a branch on workers that is paused and one that is not on workers."""
    road = Road(exchange, "manual")
    road.call(CreateSession(road.session, {"delivery": "manual", IMPORTING: '"digest"'}))
    road.call(CreateBranch(road.session, BranchSeed("ada", pool=road.pool), ()))
    road.call(CreateBranch(road.session, BranchSeed("ben"), ()))
    road.call(Pause(road.session, "ada", "being imported"))
    return road


def row(version: int, place: int = 1) -> LogRecord:
    """A row of a log."""
    return LogRecord(version, place, Record("message", b'{"n":%d}' % version, b"head" if place > 1 else b""))


@pytest.mark.parametrize("count", [1, 2, 200])
def test_every_queue_is_read_in_order_and_nothing_moves(manual: Road, count: int) -> None:
    """In pages of any size, with the recipient of what goes out and the moment of what is delayed."""
    manual.pooled("ada")
    manual.local("ben")
    manual.say("ada", "ben", 1, 2, 3)
    manual.say("ben", "ada", 4, 5, 6)
    assert said(queue(manual, "ada", Queue.OUTBOX, count)) == [1, 2, 3]
    manual.collect("ada")
    assert said(queue(manual, "ben", Queue.TRANSIT, count)) == [1, 2, 3]
    manual.send()
    assert said(queue(manual, "ben", Queue.INBOX, count)) == [1, 2, 3]
    assert said(queue(manual, "ada", Queue.INBOX, count)) == [4, 5, 6]
    manual.receive("ada")
    before = manual.state()
    assert said(queue(manual, "ada", Queue.MAILBOX, count)) == [4, 5, 6]
    assert manual.state() == before
    assert [queue(manual, "ada", name, count) for name in (Queue.OUTBOX, Queue.INBOX, Queue.TRANSIT)] == [[], [], []]


@pytest.mark.parametrize("count", [1, 2, 200])
def test_mail_that_waits_for_a_time_is_read(auto: Road, count: int) -> None:
    """Deferred mail sender by sender, delayed mail by the moment, each with it."""
    auto.pooled("ada")
    auto.say("cleo", "ada", 1, 2)
    auto.say("ben", "ada", 3)
    stand = auto.take("ada")
    lanes = ("cleo", "cleo", "ben")
    deferred = tuple(
        Deferral(entry.id, lane, 0 if number == 1 else LATE, 0 if number == 1 else 1)
        for number, (entry, lane) in enumerate(zip(stand.entries, lanes, strict=True))
    )
    auto.commit("ada", "t1", stand, deferred=deferred, handled=0)
    for number, delay in enumerate((LATE * 3, LATE, LATE * 2)):
        auto.post(auto.mail("cleo", "ada", number, delay_ms=delay))
    assert said(queue(auto, "ada", Queue.DEFERRED, count)) == [3, 1, 2]
    late = queue(auto, "ada", Queue.DELAYED, count)
    assert said(late) == [1, 2, 0]
    assert [one.straight for one in late] == [True] * 3
    assert LATE / 2 < late[1].due - late[0].due < LATE * 2


def test_large_bodies_are_read_whole(auto: Road) -> None:
    """A body that travels beside its mail is there, and a page ends before it is too large."""
    auto.pooled("ada")
    texts = [letter * 700_000 for letter in "abc"]
    auto.say("ben", "ada", *texts)
    assert said(queue(auto, "ada", Queue.MAILBOX)) == texts
    assert len(auto.call(ReadQueue(auto.session, "ada", Queue.MAILBOX))) < 3


def test_of_nobody_nothing_is_read(auto: Road) -> None:
    """Neither of an unknown branch nor of an unknown session."""
    assert [queue(auto, "nobody", name) for name in Queue] == [[]] * len(Queue)
    assert auto.exchange.call(ReadQueue("nobody", "nobody", Queue.MAILBOX)) == ()


def test_a_log_is_put_back_under_its_own_numbers(target: Road) -> None:
    """Versions may begin anywhere and leave some out; the branch stands at the last of them."""
    assert target.call(Restore(target.session, "ada", 1, (row(3), row(3, 2), row(7)))) is Outcome.OK
    assert target.call(Restore(target.session, "ada", 2, (row(9),), done=True)) is Outcome.OK
    assert target.log("ada") == (row(3), row(3, 2), row(7), row(9))
    assert target.branch("ada").version == 9


def test_a_part_has_one_effect(target: Road) -> None:
    """Whoever has lost an answer asks again; a part that is left out is noticed."""
    mail = Waiting(Queue.MAILBOX, "", target.mail("ben", "ada", 1))
    part = Restore(target.session, "ada", 1, (row(1),), (mail,))
    assert [target.call(one) for one in (part, part)] == [Outcome.OK, Outcome.ALREADY]
    assert target.call(Restore(target.session, "ada", 3, (row(2),))) is Outcome.GAP
    assert (len(target.log("ada")), target.counter("inflight")) == (1, 1)
    last = Restore(target.session, "ada", 2, done=True)
    assert [target.call(one) for one in (last, last)] == [Outcome.OK, Outcome.ALREADY]
    assert target.call(Restore(target.session, "ada", 3, (row(2),))) is Outcome.STALE


def test_mail_is_put_back_where_it_was(target: Road) -> None:
    """In every queue, in order, with what is due later; a branch that is resumed finds its mail ready."""
    late = [Waiting(Queue.DELAYED, "", target.mail("ben", "ada", 7), due=2**52)]
    places = (Queue.DEFERRED, Queue.MAILBOX, Queue.INBOX, Queue.TRANSIT)
    mails = [Waiting(one, "", target.mail("ben", "ada", number)) for number, one in enumerate(places, 1)]
    out = [
        Waiting(Queue.OUTBOX, "", target.mail("ada", "ben", 5)),
        Waiting(Queue.OUTBOX, "", target.mail("ada", "ben", 6), due=2**52),
    ]
    assert target.call(Restore(target.session, "ada", 1, mails=(*mails, *out, *late))) is Outcome.OK
    local = (Waiting(Queue.INBOX, "", target.mail("ada", "ben", 8)),)
    assert target.call(Restore(target.session, "ben", 2, mails=local, done=True)) is Outcome.OK
    found = {name: said(queue(target, "ada", name)) for name in Queue}
    assert found == {
        Queue.DEFERRED: [],
        Queue.MAILBOX: [1, 2],
        Queue.INBOX: [3],
        Queue.TRANSIT: [4],
        Queue.OUTBOX: [5, 6],
        Queue.DELAYED: [7],
    }
    assert said(queue(target, "ben", Queue.INBOX)) == [8]
    assert [one.due > 0 for one in queue(target, "ada", Queue.OUTBOX)] == [False, True]
    assert target.ready() == ()
    target.call(Resume(target.session, "ada"))
    assert [entry.mail.item() for entry in target.take("ada").entries] == [1, 2]  # type: ignore[union-attr]
    assert (target.counter("inflight"), target.counter("delayed")) == (2, 1)


def test_dead_letters_are_put_back_under_their_own_ids(target: Road) -> None:
    """With what is known of each, also of one that was no mail; they can be sent again afterwards."""
    mail = target.mail("ben", "ada", "x" * 100_000)
    letters = (
        DeadLetter("5-0", "failed", "no wish", "ada", 3, ("a", "b"), mail, "RuntimeError"),
        DeadLetter("5-1", "malformed", "no JSON", "ada", 0, (), None),
    )
    assert target.call(Restore(target.session, "ada", 1, dead=letters, done=True)) is Outcome.OK
    assert target.dead() == letters
    assert target.counter("dead") == 2


def test_only_what_is_being_imported_is_written_to(auto: Road, exchange: Exchange) -> None:
    """A session at work is left alone, and so are branches that are not there."""
    auto.pooled("ada")
    before = auto.state()
    assert auto.call(Restore(auto.session, "ada", 1, (row(2),))) is Outcome.STALE
    assert auto.state() == before
    assert exchange.call(Restore("nobody", "ada", 1)) is Outcome.UNKNOWN
    road = Road(exchange)
    road.call(CreateSession(road.session, {"delivery": "auto", IMPORTING: "1"}))
    assert road.call(Restore(road.session, "nobody", 1)) is Outcome.UNKNOWN


def test_limits_and_origins_can_be_read(exchange: Exchange, open_road: Callable[..., Road]) -> None:
    """An import needs to know the limits of a session, and which branch was split off from which."""
    road = open_road(cap=7, cap_bytes=700)
    record = exchange.call(ReadSession(road.session))
    assert record is not None
    assert (record.cap, record.cap_bytes) == (7, 700)
    road.pooled("ada")
    road.call(CreateBranch(road.session, BranchSeed("clone", pool="p"), (row(1).record,), copies="ada"))
    assert [road.branch(name).copies for name in ("ada", "clone")] == ["", "ada"]


SENSELESS = [
    ReadQueue("s", "b", Queue.MAILBOX, count=0),
    ReadQueue("s", "b", "nowhere"),  # type: ignore[arg-type]
    Restore("s", "b", 0),
    Restore("s", "b", 1, (row(2), row(1))),
    Restore("s", "b", 1, (row(1), row(1))),
    Restore("s", "b", 1, (LogRecord(0, 1, row(1).record),)),
    Restore("s", "b", 1, dead=(DeadLetter("0-0", "r", "d", "b", 1, (), None),)),
    Restore("s", "b", 1, dead=(DeadLetter("no id", "r", "d", "b", 1, (), None),)),
]


@pytest.mark.parametrize("number", range(len(SENSELESS)))
def test_senseless_verbs_are_refused(exchange: Exchange, number: int) -> None:
    """They say what is wrong before anything is asked."""
    with pytest.raises(ConfigError):
        exchange.call(SENSELESS[number])
