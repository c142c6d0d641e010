"""Limits of a mailbox by count and bytes: whoever posts is refused, a turn never is, and nobody waits in a circle."""

from itertools import count
from typing import Any

import pytest

from lion_broker.mail.exchange import Exchange
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import Deferral, Posted
from lion_broker.mail.verbs import Post, Promote
from tests.conformance.road import Road, texts, wait_until

FULL = Posted(Outcome.FULL, "ada")
OK = Posted(Outcome.OK)
PRODUCERS = count()


def post(road: Road, item: object = "x", delay_ms: int = 0) -> Posted:
    """Post one mail to `ada`."""
    # A producer of its own: a number that is refused is not used up.
    producer = f"producer-{next(PRODUCERS)}"
    return road.call(Post(road.session, producer, 1, (road.mail("ben", "ada", item, delay_ms=delay_ms),)))


def test_all_that_waits_counts(exchange: Exchange) -> None:
    """Mail in the mailbox, deferred and delayed mail together are limited."""
    road = Road(exchange, cap=3).open()
    road.pooled("ada")
    post(road)
    claimed = road.take("ada")
    deferral = Deferral(claimed.entries[0].id, "ben", 60_000, 1)
    road.commit("ada", "t1", claimed, deferred=(deferral,), handled=0)
    assert [post(road, delay_ms=60_000), post(road), post(road)] == [OK, OK, FULL]
    record = road.branch("ada")
    assert (record.deferred, record.delayed, record.waiting) == (1, 1, 1)


def test_a_post_of_several_fits_or_does_not(exchange: Exchange) -> None:
    """All of its mails or none."""
    road = Road(exchange, cap=2).open()
    road.pooled("ada")
    assert road.post(*(road.mail("ben", "ada", number) for number in range(3))) == FULL
    assert road.branch("ada").waiting == 0


@pytest.mark.parametrize("kind", ["pooled", "local"])
def test_bytes_are_limited(exchange: Exchange, kind: str) -> None:
    """What does not fit any more is refused; what was handled makes room."""
    road = Road(exchange, cap_bytes=5_000).open()
    getattr(road, kind)("ada")
    assert [post(road, "x" * 2_000), post(road, "x" * 2_000), post(road, "x" * 2_000)] == [OK, OK, FULL]
    if kind == "pooled":
        assert road.commit("ada", "t1", road.take("ada")).outcome is Outcome.DRAINED
    else:
        stand = road.claim("ada", "mine")
        road.commit("ada", "mine", stand, taken=tuple(entry.id for entry in road.inbox("ada")))
    assert [post(road, "x" * 4_000), post(road, "x" * 2_000)] == [OK, FULL]


def test_bytes_are_counted_wherever_mail_waits(exchange: Exchange) -> None:
    """Deferring and delaying make no room; taking effect does."""
    road = Road(exchange, cap_bytes=5_000).open()
    road.pooled("ada")
    post(road, "x" * 2_000)
    claimed = road.take("ada")
    deferral = Deferral(claimed.entries[0].id, "ben", 1, 1)
    road.commit("ada", "t1", claimed, deferred=(deferral,), handled=0, batch=0)
    assert [post(road, "x" * 2_000, delay_ms=2), post(road, "x" * 2_000)] == [OK, FULL]

    def entry() -> str:
        still = road.call(Promote(road.session)).next_ms
        return next((ready.id for ready in road.ready()), "") if still is None else ""

    stand = road.claim("ada", "t2", wait_until(entry))
    while stand.outcome is Outcome.OK:
        place: dict[str, Any] = (
            {"lane": stand.lane, "lane_done": stand.entries[-1].id, "consumed": stand.cursor} if stand.lane else {}
        )
        stand = road.commit("ada", "t2", stand, **place)
    assert [post(road, "x" * 4_000), post(road, "x" * 2_000)] == [OK, FULL]


def test_two_full_branches_do_not_stop_each_other(exchange: Exchange) -> None:
    """Both are at the limit and answer every mail with one: all of it goes on, and nothing is refused."""
    road = Road(exchange, cap=5).open()
    road.pooled("ada", "ben")
    for name, other in (("ada", "ben"), ("ben", "ada")):
        road.say(other, name, *range(5))
    heard = {"ada": 0, "ben": 0}
    for number in range(20):
        for ready in road.ready():
            name, token = ready.branch, f"t{number}{ready.branch}"
            stand = road.claim(name, token, ready.id, batch=5)
            other = "ben" if name == "ada" else "ada"
            answers = tuple(road.mail(name, other, item) for item in texts(stand.entries))
            heard[name] += len(answers)
            road.commit(name, token, stand, mails=answers, batch=0)
    assert min(heard.values()) >= 50
    assert road.dead() == ()
    assert road.branch("ada").waiting + road.branch("ben").waiting == 10


def test_who_can_wait_is_told(exchange: Exchange) -> None:
    """A strict commit is refused at the limit, with the name of the branch, and has written nothing."""
    road = Road(exchange, cap=2).open()
    road.pooled("ada")
    road.local("eve", "ben")
    stand = road.claim("eve", "mine")
    fits = (road.mail("eve", "ben"), road.mail("eve", "ada"), road.mail("eve", "ada"))
    before = road.state()
    answer = road.commit("eve", "mine", stand, mails=(*fits, road.mail("eve", "ada")), strict=True)
    assert (answer.outcome, answer.behaviour, answer.version) == (Outcome.FULL, "ada", stand.version)
    assert road.state() == before
    assert road.commit("eve", "mine", stand, mails=fits, strict=True).outcome is Outcome.OK
    assert (road.branch("ada").waiting, road.branch("ben").inbox, road.dead()) == (2, 1, ())
