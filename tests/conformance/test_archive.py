"""What an export reads and an import puts back: queues are read where they stand, and parts have one effect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from lion_broker.errors import ConfigError
from lion_broker.mail.exchange import Exchange
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import BranchSeed, DeadLetter, LogRecord, Record, Stamp
from lion_broker.mail.verbs import (
    IMPORTING,
    CreateBranch,
    CreateSession,
    Drop,
    Pause,
    ReadLog,
    ReadSession,
    ReadWaiting,
    Restore,
    Resume,
)
from lion_broker.mail.verbs.archive import Kept
from lion_broker.mail.waiting import Waiting, WaitsAt
from lion_broker.mail.wire import WireMail
from tests.conformance.road import Road, texts

LATE = 60_000
STAMP = Stamp(1_700_000_000_000, ("ada:1:x", "ben:2:y"), "5-1")


def waiting(road: Road, branch: str, where: WaitsAt) -> list[Waiting]:
    """All that waits at a station, page by page."""
    found: list[Waiting] = []
    verb = ReadWaiting(road.session, branch, where, whole=True)
    while page := road.call(verb):
        found += page
        verb = replace(verb, after=page[-1].place, lane=page[-1].lane)
    return found


def said(found: list[Waiting]) -> list[Any]:
    """What mails say."""
    return [one.mail.item() for one in found if isinstance(one.mail, WireMail)]


def importing(exchange: Exchange) -> Road:
    """A session that is being imported, with a branch on workers that is paused and one that is not on workers."""
    road = Road(exchange, "manual")
    road.call(CreateSession(road.session, {"delivery": "manual", IMPORTING: '"digest"'}))
    road.call(CreateBranch(road.session, BranchSeed("ada", pool=road.pool), ()))
    road.call(CreateBranch(road.session, BranchSeed("ben"), ()))
    road.call(Pause(road.session, "ada", "being imported"))
    return road


def row(version: int, place: int = 1) -> LogRecord:
    """A row of a log."""
    record = Record("message", b'{"n":%d}' % version, b"head" if place > 1 else b"")
    return LogRecord(version, place, record, STAMP if place == 1 else None)


def test_large_bodies_are_read_whole_where_asked(auto: Road) -> None:
    """A body that travels beside its mail, in pages that end before they are too large."""
    auto.pooled("ada")
    texts = [letter * 700_000 for letter in "abc"]
    auto.say("ben", "ada", *texts)
    assert said(waiting(auto, "ada", WaitsAt.MAILBOX)) == texts


def test_what_is_delayed_knows_where_it_goes_on(manual: Road) -> None:
    """Into the mailbox after a round that receives, else into the inbox."""
    manual.pooled("ada", "ben")
    for recipient, receive in (("ada", True), ("ben", False)):
        manual.post(manual.mail("ada", recipient, 1, delay_ms=LATE))
        manual.send(recipient, receive=receive)
    assert [waiting(manual, name, WaitsAt.DELAYED)[0].straight for name in ("ada", "ben")] == [True, False]


def test_a_log_is_put_back_under_its_own_numbers(exchange: Exchange) -> None:
    """Versions may begin anywhere and leave some out; the branch stands at the last of them."""
    target = importing(exchange)
    assert target.call(Restore(target.session, "ada", 1, (row(3), row(3, 2), row(7)))) is Outcome.OK
    assert target.call(Restore(target.session, "ada", 2, (row(9),), done=True)) is Outcome.OK
    assert target.log("ada") == (row(3), row(3, 2), row(7), row(9))
    assert [one.stamp for one in target.log("ada")] == [STAMP, None, STAMP, STAMP]
    assert target.branch("ada").version == 9


def test_places_are_kept_across_parts_and_gaps(exchange: Exchange) -> None:
    """However many rows of a version there are, where a part ends between them, and where some are left out."""
    target = importing(exchange)
    places = [*range(1, 50), 53, 54, 60]
    rows = [
        LogRecord(3, place, Record("note", b"x" * (9000 if place in (5, 54) else place)), STAMP if place == 1 else None)
        for place in places
    ]
    assert target.call(Restore(target.session, "ada", 1, tuple(rows[:20]))) is Outcome.OK
    assert target.call(Restore(target.session, "ada", 2, (*rows[20:], row(4)), done=True)) is Outcome.OK
    assert target.log("ada") == (*rows, row(4))
    assert [one.place for one in target.log("ada") if one.stamp] == [1, 1]
    for one, following in pairwise((*rows, row(4))):
        assert target.call(ReadLog(target.session, "ada", one.version, one.place, count=1))[0] == following


def test_a_part_has_one_effect(exchange: Exchange) -> None:
    """Whoever has lost an answer asks again; a part that is left out is noticed."""
    target = importing(exchange)
    mail = Kept(target.mail("ben", "ada", 1))
    part = Restore(target.session, "ada", 1, (row(1),), mails=(mail,))
    assert [target.call(one) for one in (part, part)] == [Outcome.OK, Outcome.ALREADY]
    assert target.call(Restore(target.session, "ada", 3, (row(2),))) is Outcome.GAP
    assert (len(target.log("ada")), target.counter("inflight")) == (1, 1)
    last = Restore(target.session, "ada", 2, done=True)
    assert [target.call(one) for one in (last, last)] == [Outcome.OK, Outcome.ALREADY]
    assert target.call(Restore(target.session, "ada", 3, (row(2),))) is Outcome.STALE


def test_mail_is_put_back_where_it_was(exchange: Exchange) -> None:
    """At every station, in order, with what is due later; a branch that is resumed finds its mail ready."""
    target = importing(exchange)
    kept = {
        WaitsAt.LANES: (Kept(target.mail("ben", "ada", 1)),),
        WaitsAt.MAILBOX: (Kept(target.mail("ben", "ada", 2)),),
        WaitsAt.INBOX: (Kept(target.mail("ben", "ada", 3)),),
        WaitsAt.TRANSIT: (Kept(target.mail("ben", "ada", 4)),),
        WaitsAt.OUTBOX: (Kept(target.mail("ada", "ben", 5)), Kept(target.mail("ada", "ben", 6), due=2**52)),
        WaitsAt.DELAYED: (
            Kept(target.mail("ben", "ada", 7), due=2**52),
            Kept(target.mail("ben", "ada", 8), 2**52, False),
        ),
    }
    for part, (where, mails) in enumerate(kept.items(), 1):
        assert target.call(Restore(target.session, "ada", part, where=where, mails=mails)) is Outcome.OK
    local = (Kept(target.mail("ada", "ben", 9)),)
    assert target.call(Restore(target.session, "ben", 7, where=WaitsAt.INBOX, mails=local, done=True)) is Outcome.OK
    assert {where: said(waiting(target, "ada", where)) for where in WaitsAt} == {
        WaitsAt.LANES: [],
        WaitsAt.MAILBOX: [1, 2],
        WaitsAt.INBOX: [3],
        WaitsAt.TRANSIT: [4],
        WaitsAt.OUTBOX: [5, 6],
        WaitsAt.DELAYED: [7, 8],
    }
    assert said(waiting(target, "ben", WaitsAt.INBOX)) == [9]
    assert [one.due > 0 for one in waiting(target, "ada", WaitsAt.OUTBOX)] == [False, True]
    assert [one.straight for one in waiting(target, "ada", WaitsAt.DELAYED)] == [True, False]
    assert target.ready() == ()
    target.call(Resume(target.session, "ada"))
    assert texts(target.take("ada").entries) == [1, 2]
    assert (target.counter("inflight"), target.counter("delayed")) == (2, 2)


def test_dead_letters_are_put_back_under_their_own_ids(exchange: Exchange) -> None:
    """With what is known of each, also of one that was no mail; they can be sent again afterwards."""
    target = importing(exchange)
    mail = target.mail("ben", "ada", "x" * 100_000)
    letters = (
        DeadLetter("5-0", "failed", "no wish", "ada", 3, ("a", "b"), mail, "RuntimeError"),
        DeadLetter("5-1", "malformed", "no JSON", "ada", 0, (), None),
    )
    assert target.call(Restore(target.session, "ada", 1, dead=letters, done=True)) is Outcome.OK
    assert target.dead() == letters
    assert target.counter("dead") == 2


def test_collected_mail_is_found_by_the_next_round(exchange: Exchange) -> None:
    """What was put back on its way goes on with whatever else goes to all."""
    target = importing(exchange)
    mails = (Kept(target.mail("ada", "ben", 1)),)
    target.call(Restore(target.session, "ben", 1, where=WaitsAt.TRANSIT, mails=mails, done=True))
    target.send()
    assert said(waiting(target, "ben", WaitsAt.INBOX)) == [1]


def test_dead_letters_with_one_body_are_dropped_one_by_one(exchange: Exchange) -> None:
    """A large body that two of them name is there as long as one of them is."""
    target = importing(exchange)
    letters = [
        DeadLetter(f"5-{place}", "failed", "", "ada", 1, (), target.mail("ben", "ada", "x" * 100_000))
        for place in (1, 2)
    ]
    target.call(Restore(target.session, "ada", 1, dead=tuple(letters), done=True))
    target.call(Drop(target.session, ("5-1",)))
    assert texts(target.dead()) == ["x" * 100_000]


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
    Restore("s", "b", 1, where="nowhere"),  # type: ignore[arg-type]
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
