"""Renewing and releasing: many leases in one call, each answered by its own word."""

import pytest

from lion_broker.mail.exchange import Exchange
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.verbs import Release, Renew, Station
from tests.conformance.road import Road, texts, wait_until


def test_a_renewed_lease_goes_on(auto: Road) -> None:
    """Renewal counts from now, also when the lease had run out and nobody else had come."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1)
    entry = auto.entry("ada")
    auto.claim("ada", "t1", entry, lease_ms=1)
    wait_until(lambda: not auto.branch("ada").leased)
    assert auto.renew("ada", "t1", lease_ms=60_000) is Outcome.OK
    assert auto.branch("ada").leased is True
    assert auto.claim("ada", "t2", entry).outcome is Outcome.HELD


def test_many_stations_are_answered_in_order(exchange: Exchange) -> None:
    """Branches of several sessions share a call; each has its own answer."""
    one, two = Road(exchange).open(), Road(exchange).open()
    for road in (one, two):
        road.pooled("ada")
        road.local("ben", token="mine")
        road.say("x", "ada", 1)
        road.take("ada", "t1")
    stations = (
        Station(one.session, "ada", "t1"),
        Station(two.session, "ada", "t2"),
        Station(two.session, "ben", "mine"),
        Station(one.session, "nobody", "t1"),
        Station("nowhere", "ada", "t1"),
        Station(two.session, "ada", "t1"),
    )
    ok, no = Outcome.OK, Outcome.FENCED
    assert exchange.call(Renew(stations)) == (ok, no, ok, no, no, ok)
    assert exchange.call(Release(stations)) == (ok, no, ok, no, no, ok)
    assert exchange.call(Renew(stations)) == (no,) * 6


@pytest.mark.parametrize("verb", [Renew(()), Release(())])
def test_no_stations_no_answers(exchange: Exchange, verb: Renew | Release) -> None:
    """An empty call answers nothing."""
    assert exchange.call(verb) == ()


def test_a_clean_release_hands_over_at_once(auto: Road) -> None:
    """What the owner has not committed is ready for others, with a new entry; the old owner is fenced."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1, 2)
    entry = auto.entry("ada")
    old = auto.claim("ada", "t1", entry)
    assert auto.release("ada", "t1") is Outcome.OK
    assert auto.commit("ada", "t1", old).outcome is Outcome.FENCED
    fresh = auto.entry("ada", "another worker")
    assert fresh != entry
    assert auto.claim("ada", "t2", entry).outcome is Outcome.GONE
    assert texts(auto.claim("ada", "t2", fresh).entries)[0] == 1


def test_a_release_without_work_leaves_no_entry(auto: Road) -> None:
    """A branch that was drained before is not ready again."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1)
    auto.commit("ada", "t1", auto.take("ada", "t1"))
    assert auto.release("ada", "t1") is Outcome.FENCED
    assert auto.ready() == ()


def test_a_release_lets_others_go_first(auto: Road) -> None:
    """The new entry goes to the end of the queue, so that a busy branch starves nobody."""
    auto.pooled("ada", "ben")
    auto.say("x", "ada", 1, 2)
    stand = auto.take("ada", "t1", batch=1)
    auto.say("x", "ben", 1)
    auto.commit("ada", "t1", stand, batch=0)
    assert [ready.branch for ready in auto.ready()] == ["ben", "ada"]


def test_only_the_owner_releases(auto: Road) -> None:
    """Another token is FENCED and takes nobody's lease away."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1)
    claimed = auto.take("ada", "t1")
    assert auto.release("ada", "t2") is Outcome.FENCED
    assert auto.renew("ada", "t2") is Outcome.FENCED
    assert auto.branch("ada").leased is True
    assert auto.commit("ada", "t1", claimed).outcome is Outcome.DRAINED
