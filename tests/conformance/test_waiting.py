"""Mail that waits can be looked at, at every station, a page at a time, and waits on."""

from __future__ import annotations

import pytest

from lion_broker.errors import ConfigError
from lion_broker.mail.exchange import Exchange
from lion_broker.mail.records import START, Deferral
from lion_broker.mail.verbs import ReadWaiting
from lion_broker.mail.waiting import Waiting, WaitsAt
from lion_broker.mail.wire import BLOB_BYTES, WireMail
from tests.conformance.road import Road


def waiting(road: Road, branch: str, where: WaitsAt, count: int = 2) -> list[Waiting]:
    """All that waits at a station, read page by page."""
    found: list[Waiting] = []
    while True:
        last = found[-1] if found else None
        page = road.call(
            ReadWaiting(
                road.session,
                branch,
                where,
                after=last.place if last else START,
                lane=last.lane if last else "",
                count=count,
            )
        )
        assert len(page) <= count
        if not page:
            return found
        found += page


def said(found: list[Waiting]) -> list[object]:
    """What the mails say, in order."""
    return [one.mail.item() for one in found if isinstance(one.mail, WireMail)]


def test_mail_in_a_mailbox(auto: Road) -> None:
    """It is read in order, also while a worker has it, and stays where it is."""
    auto.pooled("ada")
    auto.say("x", "ada", 1, 2, 3)
    claimed = auto.take("ada")
    found = waiting(auto, "ada", WaitsAt.MAILBOX)
    assert said(found) == [1, 2, 3]
    assert [one.place for one in found] == [entry.id for entry in claimed.entries]
    assert auto.branch("ada").waiting == 3


def test_mail_on_its_way_in_a_round(manual: Road) -> None:
    """The outbox of its sender, then the transit and the inbox of its recipient."""
    manual.local("ada", "ben")
    stand = manual.claim("ada", "mine")
    manual.commit("ada", "mine", stand, mails=tuple(manual.mail("ada", "ben", number) for number in range(3)))
    assert said(waiting(manual, "ada", WaitsAt.OUTBOX)) == [0, 1, 2]
    manual.collect("ada")
    assert said(waiting(manual, "ada", WaitsAt.OUTBOX)) == []
    assert said(waiting(manual, "ben", WaitsAt.TRANSIT)) == [0, 1, 2]
    manual.send("ben")
    assert said(waiting(manual, "ben", WaitsAt.INBOX)) == [0, 1, 2]


def test_mail_that_is_to_be_tried_again(auto: Road) -> None:
    """A lane after the other; the first of each tells of its attempts, and all when they are due."""
    auto.pooled("ada")
    for sender in ("x", "y"):
        auto.say(sender, "ada", f"{sender}1", f"{sender}2", f"{sender}3")
    claimed = auto.take("ada")
    lanes = [mail.mail.header.sender for mail in claimed.entries if isinstance(mail.mail, WireMail)]
    deferred = [
        Deferral(entry.id, lane, 60_000 if place % 3 == 0 else 0, 2 if place % 3 == 0 else 0)
        for place, (entry, lane) in enumerate(zip(claimed.entries, lanes, strict=True))
    ]
    answer = auto.commit("ada", "t1", claimed, deferred=tuple(deferred))
    found = waiting(auto, "ada", WaitsAt.LANES)
    assert said(found) == ["x1", "x2", "x3", "y1", "y2", "y3"]
    assert [one.attempts for one in found] == [2, 0, 0, 2, 0, 0]
    assert [one.lane for one in found] == ["x", "x", "x", "y", "y", "y"]
    assert all(one.due >= answer.now + 59_000 for one in found)


def test_mail_that_is_to_be_delivered_later(auto: Road) -> None:
    """In the order in which it is due; that of the same moment in the order of sending."""
    auto.pooled("ada")
    delays = (90_000, 60_000, 60_000, 70_000, 60_000)
    auto.post(*(auto.mail("x", "ada", number, delay_ms=delay) for number, delay in enumerate(delays)))
    found = waiting(auto, "ada", WaitsAt.DELAYED)
    assert said(found) == [1, 2, 4, 3, 0]
    assert found[-1].due - found[0].due == 30_000


def test_a_verb_is_one_moment(auto: Road) -> None:
    """However long it takes, all mail of one call that waits as long is due at the same time."""
    auto.pooled("ada")
    auto.post(*(auto.mail("x", "ada", number, delay_ms=60_000) for number in range(500)))
    found = waiting(auto, "ada", WaitsAt.DELAYED, count=100)
    assert said(found) == list(range(500))
    assert len({one.due for one in found}) == 1


def test_a_large_body_is_left_out(auto: Road) -> None:
    """Whoever looks at what waits does not read megabytes; the header tells that there is a body."""
    auto.pooled("ada")
    auto.say("x", "ada", "w" * (BLOB_BYTES + 1))
    (one,) = waiting(auto, "ada", WaitsAt.MAILBOX)
    assert isinstance(one.mail, WireMail)
    assert one.mail.header.blob is not None
    assert one.mail.body == b""


def test_nothing_waits_at_what_is_not_there(exchange: Exchange, auto: Road) -> None:
    """An unknown session or branch has no mail; an unknown station is a mistake."""
    auto.pooled("ada")
    for where in WaitsAt:
        assert waiting(auto, "ada", where) == []
        assert waiting(auto, "nobody", where) == []
        assert exchange.call(ReadWaiting("nowhere", "ada", where)) == ()
    with pytest.raises(ConfigError, match="mailbox"):
        auto.call(ReadWaiting(auto.session, "ada", "cellar"))  # type: ignore[arg-type]
