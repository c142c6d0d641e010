"""The mark of an idle branch hands out its first mail: whoever is given the ready entry is the owner, unclaimed."""

import pytest

from lion_broker.mail.answers import Swept
from lion_broker.mail.exchange import Exchange
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import START, Deferral, place_of
from lion_broker.mail.verbs import Cancel, Dispatch, Exhume, Pause, Promote, Resume
from tests.conformance.road import TURN, Road, texts, wait_until


def test_the_first_mail_comes_with_the_ready_entry(auto: Road) -> None:
    """It carries what a claim would answer; its id is the token, of a commit as of everything else."""
    auto.pooled("ada")
    mail = auto.mail("ben", "ada", "größer")
    auto.post(mail)
    entry, given = auto.given("ada")
    assert [one.mail for one in given.entries] == [mail]
    assert (given.outcome, given.cursor, given.version, given.attempts) == (Outcome.OK, START, 1, 1)
    assert (given.behaviour, given.lane, given.lanes, given.now) == ("echo", "", frozenset(), place_of(entry)[0])
    assert auto.commit("ada", entry, given).outcome is Outcome.DRAINED
    assert (auto.ready(), auto.sweep(), auto.branch("ada").waiting) == ((), Swept(), 0)
    auto.say("ben", "ada", 2)
    assert texts(auto.given("ada")[1].entries) == [2]


def test_its_reader_is_the_owner(auto: Road) -> None:
    """It is shown as such, stands in the log and in the live tail, and every fenced verb takes the token."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1)
    assert (auto.branch("ada").leased, auto.branch("ada").owner) == (False, "")
    entry, given = auto.given("ada", "reader")
    assert (auto.branch("ada").leased, auto.branch("ada").owner) == (True, "reader")
    assert auto.call(Dispatch(auto.session, "ada", entry, given.version, (TURN,), nonce="n")).outcome is Outcome.OK
    assert auto.renew("ada", entry) is Outcome.OK
    assert (auto.branch("ada").leased, auto.branch("ada").owner) == (True, "reader")
    auto.commit("ada", entry, given, version=given.version + 1)
    stamps = [one.stamp for one in auto.log("ada") if one.stamp and one.version > 1]
    assert [stamp.owner for stamp in stamps] == ["reader", "reader"]
    assert [event.fields["owner"] for event in auto.events("turn")] == ["reader", "reader"]


def test_it_goes_on_like_any_owner(auto: Road) -> None:
    """What came meanwhile is answered to its commit; then it has a lease that others are told of."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1)
    entry, given = auto.given("ada", "reader")
    auto.say("ben", "ada", 2, 3)
    answer = auto.commit("ada", entry, given)
    assert (answer.outcome, texts(answer.entries)) == (Outcome.OK, [2, 3])
    assert (auto.branch("ada").leased, auto.branch("ada").owner) == (True, "reader")
    assert auto.claim("ada", "t2", entry).outcome is Outcome.HELD
    again = auto.claim("ada", entry, entry)
    assert (again.outcome, again.attempts, texts(again.entries)) == (Outcome.OK, 1, [2])
    assert auto.commit("ada", entry, answer).outcome is Outcome.DRAINED
    assert auto.counter("redelivered") == 0


def test_many_mails_at_once_are_claimed(auto: Road) -> None:
    """A call with several for one branch marks it only; with one each for several branches, each is handed out."""
    auto.pooled("ada", "ben", "cleo")
    auto.post(*(auto.mail("x", name, name) for name in ("ada", "ben", "ada", "cleo")))
    found = {one.branch: one.given and texts(one.given.entries) for one in auto.ready()}
    assert found == {"ada": None, "ben": ["ben"], "cleo": ["cleo"]}


def test_what_a_turn_sends_is_handed_out_too(auto: Road) -> None:
    """One commit sends to an idle branch and to one that is at work: the idle one's mail comes with its mark."""
    auto.pooled("ada", "ben")
    auto.say("x", "ada", 1)
    entry, given = auto.given("ada")
    auto.commit("ada", entry, given, mails=(auto.mail("ada", "ben", 2), auto.mail("ada", "ada", 3)))
    assert texts(auto.given("ben")[1].entries) == [2]


@pytest.mark.parametrize("what", ["large", "delayed", "while paused", "received", "exhumed", "behind many"])
def test_what_is_not_handed_out(exchange: Exchange, what: str) -> None:
    """It is there for a claim, as ever."""
    road = Road(exchange, "manual" if what == "received" else "auto").open()
    road.pooled("ada")
    said: object = 1
    match what:
        case "large":
            said = "x" * 5000
            road.say("ben", "ada", said)
        case "delayed":
            road.post(road.mail("ben", "ada", said, delay_ms=1))
            wait_until(lambda: road.call(Promote(road.session)).next_ms is None)
        case "while paused":
            road.call(Pause(road.session, "ada", "a rest"))
            road.say("ben", "ada", said)
            road.call(Resume(road.session, "ada"))
        case "received":
            road.pooled("ben")
            road.say("ben", "ada", said)
            road.send()
            road.receive()
        case "exhumed":
            road.pooled("ben")
            road.say("ben", "ada", said)
            entry, given = road.given("ada")
            road.commit("ada", entry, given, buried=(road.burial(given.entries[0].id),), handled=0)
            road.call(Exhume(road.session, tuple(letter.id for letter in road.dead())))
        case "behind many":
            names = [f"b{number}" for number in range(1024)]
            road.pooled(*names)
            for name in names:
                road.say("x", name, 0)
                assert road.entry(name)
            road.say("ben", "ada", said)
    (ready,) = road.ready()
    assert (ready.branch, ready.given) == ("ada", None)
    claimed = road.claim("ada", "t1", ready.id)
    assert (claimed.outcome, texts(claimed.entries), claimed.attempts) == (Outcome.OK, [said], 1)


def test_a_reader_may_claim_instead(auto: Road) -> None:
    """With a token of its own, and more mails if more have come: no second attempt, and the entry's id is void."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1)
    entry, given = auto.given("ada")
    auto.say("ben", "ada", 2)
    claimed = auto.claim("ada", "t1", entry)
    assert (claimed.outcome, texts(claimed.entries), claimed.attempts) == (Outcome.OK, [1, 2], 1)
    assert auto.branch("ada").owner == "owner of t1"
    assert auto.counter("redelivered") == 0
    assert auto.commit("ada", entry, given).outcome is Outcome.FENCED
    assert auto.renew("ada", entry) is Outcome.FENCED
    assert auto.commit("ada", "t1", claimed).outcome is Outcome.DRAINED


def test_a_reader_ahead_is_given_nothing(auto: Road) -> None:
    """Its entries wait in line: it claims, and when it dies before that no attempt was made."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1)
    (ready,) = auto.ready("busy", seats=0)
    assert ready.given is None
    assert (auto.branch("ada").leased, auto.branch("ada").owner) == (False, "")
    assert auto.sweep() == Swept(seen=1, renewed=1)
    claimed = auto.take("ada", "t2")
    assert (texts(claimed.entries), claimed.attempts) == ([1], 1)
    assert auto.commit("ada", "t2", claimed).outcome is Outcome.DRAINED
    assert [one.stamp.owners for one in auto.log("ada") if one.stamp and one.version > 1] == [("owner of t2",)]


def test_a_reader_that_dies_has_tried(auto: Road) -> None:
    """The next claim is the second attempt, names the first reader, and what waits behind comes later."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1)
    entry, given = auto.given("ada", "first reader")
    auto.say("ben", "ada", 2)
    assert auto.sweep() == Swept(seen=1, renewed=1)
    (ready,) = auto.ready("second reader")
    assert ready.given is None
    claimed = auto.claim("ada", "t2", ready.id)
    assert (texts(claimed.entries), claimed.attempts) == ([1], 2)
    assert auto.counter("redelivered") == 1
    assert auto.commit("ada", entry, given).outcome is Outcome.FENCED
    burial = auto.burial(claimed.entries[0].id)
    auto.commit("ada", "t2", claimed, buried=(burial,), handled=0)
    assert [letter.owners for letter in auto.dead()] == [("first reader", "owner of t2")]


def test_a_reader_that_renewed_and_died_has_tried(auto: Road) -> None:
    """Also when its lease is over and somebody claims with the very entry."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1)
    entry, _ = auto.given("ada", "first reader")
    assert auto.renew("ada", entry, lease_ms=1) is Outcome.OK
    claimed = wait_until(lambda: won if (won := auto.claim("ada", "t2", entry)).outcome is Outcome.OK else None)
    assert claimed.attempts == 2
    auto.commit("ada", "t2", claimed)
    assert auto.log("ada")[-1].stamp.owners == ("first reader", "owner of t2")  # type: ignore[union-attr]


def test_a_renewal_keeps_the_branch(auto: Road) -> None:
    """From then on it is a lease like any other: a sweep leaves it, a claim is told HELD."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1)
    entry, given = auto.given("ada")
    assert auto.renew("ada", entry, lease_ms=60_000) is Outcome.OK
    assert auto.sweep() == Swept(seen=1)
    assert auto.claim("ada", "t2", entry).outcome is Outcome.HELD
    assert auto.commit("ada", entry, given).outcome is Outcome.DRAINED


def test_a_reader_that_wakes_before_anybody_claims_goes_on(auto: Road) -> None:
    """A sweep alone takes nothing away from it, as from any owner; the new entry is dropped with its commit."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1)
    entry, given = auto.given("ada", "reader")
    auto.give_away()
    assert auto.commit("ada", entry, given).outcome is Outcome.DRAINED
    assert (auto.ready(), auto.sweep()) == ((), Swept())
    assert auto.log("ada")[-1].stamp.owners == ("reader",)  # type: ignore[union-attr]


def test_handed_back_it_was_not_tried(auto: Road) -> None:
    """Who releases has not failed: the next one has the first attempt."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1)
    entry, _ = auto.given("ada")
    assert auto.release("ada", entry) is Outcome.OK
    claimed = auto.take("ada", "t2")
    assert (texts(claimed.entries), claimed.attempts, auto.counter("redelivered")) == ([1], 1, 0)


def test_a_pause_takes_back_what_nobody_has_read(auto: Road) -> None:
    """A paused branch begins no turn; resuming makes a mark that is claimed with."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1)
    assert auto.call(Pause(auto.session, "ada", "a rest")) is Outcome.OK
    assert (auto.ready(), auto.sweep(), auto.branch("ada").waiting) == ((), Swept(), 1)
    assert auto.call(Resume(auto.session, "ada")) is Outcome.OK
    claimed = auto.take("ada")
    assert (texts(claimed.entries), claimed.attempts) == ([1], 1)


def test_a_pause_lets_a_reader_end_its_turn(auto: Road) -> None:
    """What was read is a turn at work: its commit counts, and is the last."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1)
    entry, given = auto.given("ada")
    auto.say("ben", "ada", 2)
    auto.call(Pause(auto.session, "ada", "a rest"))
    assert auto.commit("ada", entry, given).outcome is Outcome.DRAINED
    assert (auto.ready(), auto.branch("ada").waiting) == ((), 1)
    auto.call(Resume(auto.session, "ada"))
    assert texts(auto.take("ada").entries) == [2]


def test_a_pause_before_a_reader_ahead_has_claimed(auto: Road) -> None:
    """It is told PAUSED, and the mail is not tried."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1)
    entry = auto.entry("ada", seats=0)
    auto.call(Pause(auto.session, "ada", "a rest"))
    assert auto.claim("ada", "t1", entry).outcome is Outcome.PAUSED
    auto.call(Resume(auto.session, "ada"))
    assert auto.take("ada").attempts == 1


@pytest.mark.parametrize("read", [False, True])
def test_a_removed_branch_hands_out_nothing(auto: Road, read: bool) -> None:
    """Its mail is dead, its entry gone; who had read it is fenced."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1)
    entry, given = auto.given("ada") if read else ("", None)
    auto.close("ada")
    assert (auto.ready(), auto.sweep(), texts(auto.dead())) == ((), Swept(), [1])
    if given is not None:
        assert auto.commit("ada", entry, given).outcome is Outcome.FENCED


def test_a_reader_may_defer_or_bury(auto: Road) -> None:
    """What fails in its hands goes the way of all mail that fails; then the mark hands out nothing past the lane."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1)
    entry, given = auto.given("ada", "reader")
    deferral = Deferral(given.entries[0].id, "ben", 60_000, 1)
    assert auto.commit("ada", entry, given, deferred=(deferral,), handled=0).outcome is Outcome.DRAINED
    auto.say("cleo", "ada", 2)
    (ready,) = auto.ready()
    assert ready.given is None
    claimed = auto.claim("ada", "t1", ready.id)
    assert texts(claimed.entries) == [2]
    assert claimed.lanes == {"ben"}


def test_word_of_a_cancelled_command_reaches_a_reader(auto: Road) -> None:
    """It learns of it with its first renewal."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1)
    entry, _ = auto.given("ada")
    auto.call(Cancel(auto.session, "ada", "command-1"))
    assert auto.renew("ada", entry) is Outcome.CANCELLED


def test_entries_of_the_same_moment_are_told_apart(exchange: Exchange) -> None:
    """A token is good for its own branch only."""
    road = Road(exchange).open()
    road.pooled("ada", "ben")
    road.say("x", "ada", 1)
    road.say("x", "ben", 2)
    found = {one.branch: one for one in road.ready()}
    given = found["ada"].given
    assert given is not None
    assert road.commit("ada", found["ben"].id, given).outcome is Outcome.FENCED
    assert road.commit("ada", found["ada"].id, given).outcome is Outcome.DRAINED
