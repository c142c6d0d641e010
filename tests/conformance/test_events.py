"""The live tail of a session: what happened, in order, for whoever watches."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from lion_broker.mail.exchange import Exchange
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import START, Burial, Occurrence
from lion_broker.mail.verbs import ReadEvents, Say
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
    assert {event.fields["letter"] for event in auto.events("dead")} == {letter.id for letter in auto.dead()}
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
        told = watcher.submit(auto.call, ReadEvents(auto.session, tip, wait_ms=120_000))
        stand = auto.claim("ada", "mine")
        auto.commit("ada", "mine", stand, records=(TURN, TURN))
        assert [event.kind for event in told.result(60)] == ["turn"]


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


def test_whoever_has_fallen_behind_is_told_of_the_gap(exchange: Exchange) -> None:
    """Once, before what is kept; reading on from there, and from the start, there is none."""
    road = Road(exchange).open()
    road.local("ada")
    (first,) = road.events()
    road.say("x", "ada", *range(50))
    assert road.call(ReadEvents(road.session, first.id, count=5)) == ()
    road.local("ben")
    stand = road.claim("ben", "mine")
    for version in range(1, 2300):
        road.commit("ben", "mine", replace(stand, version=version))
    (told, oldest, following) = road.call(ReadEvents(road.session, first.id, count=2))
    assert (told.kind, told.id) == ("gap", first.id)
    assert dict(told.fields) == {"after": first.id, "next": oldest.id}
    assert road.call(ReadEvents(road.session, oldest.id, count=1)) == (following,)
    assert road.call(ReadEvents(road.session, first.id, count=2, wait_ms=1000))[0].kind == "gap"
    assert road.call(ReadEvents(road.session, START, count=1)) == (oldest,)
    # Where nothing has gone yet, what is older than the session is no gap.
    other = Road(exchange).open()
    other.local("ada")
    assert [event.kind for event in other.call(ReadEvents(other.session, "1-0"))] == ["created"]


def test_what_is_said_is_told(auto: Road) -> None:
    """With its place in the answer; without a text for the tail, or without the lease, there is no event."""
    auto.pooled("ada")
    command = auto.command("ada")
    auto.post(command)
    auto.take("ada")
    for text, at in (("Once ", 0), ("", 5), ("upon", 5)):
        said = Say(auto.session, "ada", "t1", "client", command.id, b"{}", text, at)
        assert auto.call(said) is Outcome.OK
    assert auto.call(Say(auto.session, "ada", "t2", "client", command.id, b"{}", "a time")) is Outcome.FENCED
    assert [dict(event.fields) for event in auto.events("said")] == [
        {"branch": "ada", "mail": command.id, "at": "0", "text": "Once "},
        {"branch": "ada", "mail": command.id, "at": "5", "text": "upon"},
    ]
