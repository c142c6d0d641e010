"""The live tail of a session: what happened, in order, for whoever watches."""

from concurrent.futures import ThreadPoolExecutor

from lion_broker.mail.exchange import Exchange
from lion_broker.mail.records import START, Burial, Occurrence
from lion_broker.mail.verbs import ReadEvents
from tests.conformance.road import TURN, Road


def test_creation_and_closing_are_told(auto: Road) -> None:
    """Each branch that comes and goes leaves an event that names it."""
    auto.pooled("ada")
    auto.local("ben")
    auto.close("ada")
    auto.close("ada")
    told = [(event.kind, event.fields["branch"]) for event in auto.events()]
    assert told == [("created", "ada"), ("created", "ben"), ("closed", "ada")]


def test_a_turn_is_told(auto: Road) -> None:
    """Who did it, where the branch stands, and how much was handled and sent."""
    auto.pooled("ada")
    auto.local("ben")
    mails = (auto.mail("x", "ada", 1), auto.mail("x", "ada", 2))
    auto.post(*mails)
    claimed = auto.take("ada")
    out = tuple(auto.mail("ada", "ben", number) for number in range(3))
    answer = auto.commit("ada", "t1", claimed, mails=out)
    (turn,) = auto.events("turn")
    assert dict(turn.fields) == {
        "branch": "ada",
        "owner": "owner of t1",
        "version": "2",
        "cursor": answer.cursor,
        "handled": "2",
        "sent": "3",
        "deferred": "0",
    }


def test_every_dead_letter_is_told(auto: Road) -> None:
    """Buried and undeliverable mail leave events with branch and reason."""
    auto.pooled("ada")
    auto.say("x", "ada", 1)
    claimed = auto.take("ada")
    burial = Burial(claimed.entries[0].id, "poison", "words")
    auto.commit("ada", "t1", claimed, buried=(burial,), mails=(auto.mail("ada", "nobody"),))
    told = {(event.fields["branch"], event.fields["reason"]) for event in auto.events("dead")}
    assert told == {("ada", "poison"), ("nobody", "unknown_branch")}


def test_a_refusal_is_not_told(auto: Road) -> None:
    """What did not happen leaves no event."""
    auto.pooled("ada")
    auto.say("x", "ada", 1)
    claimed = auto.take("ada")
    before = auto.events()
    auto.commit("ada", "t2", claimed)
    auto.post(auto.mail("x", "nobody"))
    auto.close("nobody")
    assert auto.events() == before


def test_the_tail_is_resumed(auto: Road) -> None:
    """Reading goes on after the id of the last event; `count` bounds a page."""
    auto.local("a", "b", "c", "d", "e")
    found: list[Occurrence] = []
    while page := auto.call(ReadEvents(auto.session, found[-1].id if found else START, count=2)):
        assert len(page) <= 2
        found += page
    assert [event.fields["branch"] for event in found] == ["a", "b", "c", "d", "e"]
    assert len({event.id for event in found}) == 5


def test_the_tip_is_where_new_events_begin(auto: Road) -> None:
    """`$` answers the newest id without any event; what comes later follows it."""
    (tip,) = auto.call(ReadEvents(auto.session, "$"))
    assert tip == Occurrence(START, "tip", {})
    auto.local("ada")
    (tip,) = auto.call(ReadEvents(auto.session, "$"))
    assert (tip.kind, tip.id) == ("tip", auto.events()[-1].id)
    assert auto.call(ReadEvents(auto.session, tip.id)) == ()
    auto.local("ben")
    assert [event.fields["branch"] for event in auto.call(ReadEvents(auto.session, tip.id))] == ["ben"]


def test_a_watcher_waits(auto: Road) -> None:
    """A waiting read returns as soon as something happens."""
    auto.local("ada")
    tip = auto.events()[-1].id
    with ThreadPoolExecutor(1) as watcher:
        told = watcher.submit(auto.call, ReadEvents(auto.session, tip, wait_ms=30_000))
        stand = auto.claim("ada", "mine")
        auto.commit("ada", "mine", stand, records=(TURN, TURN))
        assert [event.kind for event in told.result(20)] == ["turn"]


def test_a_watcher_that_is_late_does_not_wait(auto: Road) -> None:
    """With events there already, a waiting read returns them at once, at most `count`."""
    auto.local("ada", "ben")
    (event,) = auto.call(ReadEvents(auto.session, START, count=1, wait_ms=60_000))
    assert event.fields["branch"] == "ada"


def test_watching_ends_in_time(exchange: Exchange, auto: Road) -> None:
    """When nothing happens, or there is no such session, the answer is empty; its tip is the start."""
    assert exchange.call(ReadEvents("nowhere", "$")) == (Occurrence(START, "tip", {}),)
    assert auto.call(ReadEvents(auto.session, START, wait_ms=20)) == ()
    assert exchange.call(ReadEvents("nowhere", START, wait_ms=20)) == ()
    assert exchange.call(ReadEvents("nowhere")) == ()


def test_the_live_tail_is_capped(exchange: Exchange) -> None:
    """Of very many events the newest 2,000 are kept, and on a server up to a hundred more; the oldest are gone."""
    road = Road(exchange).open()
    road.local("ada")
    road.say("x", "ada", *range(2500))
    road.close("ada", token="mine")
    events = road.call(ReadEvents(road.session, count=20_000))
    assert 2000 <= len(events) <= 2100
    assert {event.kind for event in events[:-1]} == {"dead"}
