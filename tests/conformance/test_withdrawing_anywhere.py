"""Mail is withdrawn wherever it waits: in lanes, for a time, for a round; and what it took is given back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lion_broker.mail.exchange import Exchange
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.verbs import Exhume, Pause, Post, Progress, Promote, Resume, Step
from lion_broker.mail.waiting import WaitsAt
from lion_broker.mail.wire import WireMail
from tests.conformance.road import Road, texts, wait_until
from tests.conformance.withdrawals import HELD, at, deferred, first, named, withdraw, words


def test_calls_of_a_cut_turn_go_with_their_mail(auto: Road) -> None:
    """The letter tells of them; what is recorded for other mail stays."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1, 2)
    stand = auto.take("ada")
    one, two = (entry.mail for entry in stand.entries)
    assert isinstance(one, WireMail)
    assert isinstance(two, WireMail)
    for mail in (one, two):
        auto.call(Step(auto.session, "ada", "t1", f"{mail.id}:tool", b"done"))
    assert auto.release("ada", "t1") is Outcome.OK
    assert words(withdraw(auto, first(auto, WaitsAt.MAILBOX))) == [Outcome.OK]
    assert auto.dead()[0].detail == "By a test. Calls outside that its turn had begun, and that are not undone: 1."
    auto.take("ada", "t2")
    assert auto.call(Step(auto.session, "ada", "t2", f"{one.id}:tool")).body == b""
    assert auto.call(Step(auto.session, "ada", "t2", f"{two.id}:tool")).body == b"done"


def test_a_cut_turn_of_a_lane_is_forgotten_with_its_mail(auto: Road) -> None:
    """Nobody goes back to a lane that is no more: what else waits is handed out."""
    auto.pooled("ada")
    deferred(auto, 1, pause_ms=1)
    wait_until(lambda: auto.call(Promote(auto.session)).next_ms is None)
    stand = auto.take("ada", "t1")
    assert stand.lane == "ben"
    mail = stand.entries[0].mail
    assert isinstance(mail, WireMail)
    auto.call(Step(auto.session, "ada", "t1", f"{mail.id}:tool", b"done"))
    auto.release("ada", "t1")
    assert words(withdraw(auto, first(auto, WaitsAt.LANES))) == [Outcome.OK]
    assert (auto.ready(), auto.branch("ada").deferred) == ((), 0)
    auto.say("cleo", "ada", 2)
    claimed = auto.take("ada", "t2")
    assert (texts(claimed.entries), claimed.lane) == ([2], "")


def test_a_lane_goes_first_again_without_a_cut_turn(auto: Road) -> None:
    """A turn that was cut is done again before a lane that is due; when its mail is gone, it is not."""
    auto.pooled("ada")
    deferred(auto, 1)
    auto.say("cleo", "ada", 2, 3)
    stand = auto.take("ada", "t1")
    mail = stand.entries[0].mail
    assert isinstance(mail, WireMail)
    auto.call(Step(auto.session, "ada", "t1", f"{mail.id}:tool", b"done"))
    auto.release("ada", "t1")
    auto.call(Pause(auto.session, "ada", "a rest"))
    auto.call(Resume(auto.session, "ada"))
    assert words(withdraw(auto, first(auto, WaitsAt.MAILBOX))) == [Outcome.OK]
    claimed = auto.take("ada", "t2")
    assert (texts(claimed.entries), claimed.lane) == ([1], "ben")


def test_the_first_of_a_lane_is_withdrawn(auto: Road) -> None:
    """The next one is tried at once, for the first time, and in its order."""
    auto.pooled("ada")
    deferred(auto, 1, 2, 3)
    auto.say("cleo", "ada", "later")
    claimed = auto.take("ada", "t1")
    auto.commit("ada", "t1", claimed)
    assert auto.ready() == ()
    assert words(withdraw(auto, first(auto, WaitsAt.LANES))) == [Outcome.OK]
    assert [(letter.attempts, letter.owners) for letter in auto.dead()] == [(2, ("owner of t0",))]
    assert (auto.branch("ada").deferred, auto.counter("inflight")) == (2, 2)
    claimed = auto.take("ada", "t2")
    assert (texts(claimed.entries), claimed.lane, claimed.attempts) == ([2, 3], "ben", 1)
    verb = auto.turn("ada", "t2", claimed, 0, lane="ben", lane_done=claimed.entries[-1].id)
    assert auto.call(replace(verb, handled=2)).outcome is Outcome.DRAINED
    assert (auto.branch("ada").deferred, auto.counter("inflight")) == (0, 0)


def test_another_mail_of_a_lane_is_withdrawn(auto: Road) -> None:
    """The first one keeps its attempts and its time."""
    auto.pooled("ada")
    deferred(auto, 1, 2, 3)
    before = at(auto, WaitsAt.LANES)
    assert words(withdraw(auto, named(WaitsAt.LANES, *before[1:]))) == [Outcome.OK] * 2
    assert at(auto, WaitsAt.LANES) == before[:1]
    assert [(letter.attempts, letter.owners) for letter in auto.dead()] == [(0, ()), (0, ())]
    assert auto.ready() == ()


def test_a_whole_lane_is_withdrawn(auto: Road) -> None:
    """It is none any more; a later mail of its sender is not deferred."""
    auto.pooled("ada")
    deferred(auto, 1, 2)
    assert words(withdraw(auto, first(auto, WaitsAt.LANES, 2))) == [Outcome.OK] * 2
    assert [letter.attempts for letter in auto.dead()] == [2, 0]
    assert (auto.branch("ada").deferred, auto.counter("inflight"), auto.ready()) == (0, 0, ())
    assert auto.call(Promote(auto.session)).next_ms is None
    auto.say("ben", "ada", 3)
    claimed = auto.take("ada", "t2")
    assert (texts(claimed.entries), claimed.lanes) == ([3], frozenset())


def test_a_lane_at_work_is_held(auto: Road) -> None:
    """Who works it off may have any of it."""
    auto.pooled("ada")
    deferred(auto, 1, 2, pause_ms=1)
    wait_until(lambda: auto.call(Promote(auto.session)).next_ms is None)
    auto.take("ada", "t1")
    assert withdraw(auto, first(auto, WaitsAt.LANES, 2)) == (HELD, HELD)


def test_delayed_mail_is_withdrawn(auto: Road) -> None:
    """It never comes due."""
    auto.pooled("ada")
    auto.post(auto.mail("ben", "ada", 1, delay_ms=60_000), auto.mail("ben", "ada", 2, delay_ms=60_000))
    assert words(withdraw(auto, first(auto, WaitsAt.DELAYED))) == [Outcome.OK]
    assert (texts(auto.dead()), auto.counter("delayed"), auto.branch("ada").delayed) == ([1], 1, 1)
    assert words(withdraw(auto, first(auto, WaitsAt.DELAYED))) == [Outcome.OK]
    assert (auto.counter("delayed"), auto.call(Promote(auto.session)).next_ms) == (0, None)


@pytest.mark.parametrize("where", [WaitsAt.OUTBOX, WaitsAt.TRANSIT, WaitsAt.INBOX])
def test_mail_that_waits_for_a_round_is_withdrawn(manual: Road, where: WaitsAt) -> None:
    """At any station; the letter is its recipient's, and the rest of the round goes on."""
    manual.pooled("ben", "ada")
    manual.say("ben", "ada", 1, 2)
    if where is not WaitsAt.OUTBOX:
        manual.collect()
    if where is WaitsAt.INBOX:
        manual.send()
    home = "ben" if where is WaitsAt.OUTBOX else "ada"
    assert words(withdraw(manual, first(manual, where, 1, home), home)) == [Outcome.OK]
    assert [(letter.branch, *texts([letter])) for letter in manual.dead()] == [("ada", 1)]
    manual.collect()
    manual.send()
    manual.receive()
    assert texts(manual.take("ada").entries) == [2]
    assert manual.counter("inflight") == 1


def test_what_a_program_may_have_read_is_held(auto: Road) -> None:
    """A branch of a process reads its inbox and takes from it when it likes; without a process it can be withdrawn."""
    auto.local("ada")
    auto.say("ben", "ada", 1)
    assert withdraw(auto, first(auto, WaitsAt.INBOX)) == (HELD,)
    assert auto.release("ada", "mine") is Outcome.OK
    assert words(withdraw(auto, first(auto, WaitsAt.INBOX))) == [Outcome.OK]
    assert (texts(auto.dead()), auto.inbox("ada"), auto.counter("inflight")) == ([1], (), 0)


def test_the_branch_of_a_lost_program_is_freed(auto: Road) -> None:
    """Should the program wake, it learns that the branch is not its own any more."""
    auto.local("ada", lease_ms=1)
    auto.say("ben", "ada", 1)
    row = at(auto, WaitsAt.INBOX)[0]
    wait_until(lambda: words(withdraw(auto, named(WaitsAt.INBOX, row))) == [Outcome.OK])
    assert auto.renew("ada", "mine") is Outcome.FENCED


def test_a_paused_branch_stays_paused(auto: Road) -> None:
    """Nothing is marked; resuming hands out what is left."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1, 2)
    auto.call(Pause(auto.session, "ada", "a rest"))
    assert words(withdraw(auto, first(auto, WaitsAt.MAILBOX))) == [Outcome.OK]
    for ready in auto.ready():
        assert auto.claim("ada", "t1", ready.id).outcome is Outcome.PAUSED
    auto.call(Resume(auto.session, "ada"))
    assert texts(auto.take("ada", "t2").entries) == [2]


def test_a_reader_ahead_of_a_paused_branch(auto: Road) -> None:
    """What it has in its line is withdrawn, and the pause goes on."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1)
    entry = auto.entry("ada", seats=0)
    auto.say("ben", "ada", 2)
    auto.call(Pause(auto.session, "ada", "a rest"))
    assert words(withdraw(auto, first(auto, WaitsAt.MAILBOX))) == [Outcome.OK]
    assert auto.ready() == ()
    assert auto.claim("ada", "t1", entry).outcome is Outcome.GONE
    auto.call(Resume(auto.session, "ada"))
    assert texts(auto.take("ada", "t2").entries) == [2]


def test_room_is_given_back(exchange: Exchange) -> None:
    """By count and by bytes, at every station that counts."""
    road = Road(exchange, cap=2, cap_bytes=3_000).open()
    road.pooled("ada")

    def is_full(text: str) -> bool:
        return road.call(Post(road.session, text[:3], 1, (road.mail("ben", "ada", text),))).outcome is Outcome.FULL

    road.say("ben", "ada", 1)
    road.post(road.mail("ben", "ada", 2, delay_ms=60_000))
    assert is_full("one")
    assert words(withdraw(road, first(road, WaitsAt.DELAYED))) == [Outcome.OK]
    road.say("ben", "ada", "x" * 500)
    assert is_full("two")
    assert words(withdraw(road, first(road, WaitsAt.MAILBOX, 2))) == [Outcome.OK] * 2
    road.say("ben", "ada", "y" * 1_600)
    assert is_full("z" * 1_600)
    assert words(withdraw(road, first(road, WaitsAt.MAILBOX))) == [Outcome.OK]
    assert not is_full("z" * 1_600)


def test_a_large_body_lives_on_in_the_letter(auto: Road) -> None:
    """And comes back whole when it is sent again."""
    auto.pooled("ada")
    said = "x" * 100_000
    auto.say("ben", "ada", said)
    (answer,) = withdraw(auto, first(auto, WaitsAt.MAILBOX))
    assert texts(auto.dead()) == [said]
    auto.call(Exhume(auto.session, (answer.letter,)))
    assert texts(auto.take("ada").entries) == [said]


def test_a_round_does_not_wait_for_what_was_withdrawn(auto: Road) -> None:
    """Also when it was the newest; for what is before it, it does."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1, 2)
    rows = at(auto, WaitsAt.MAILBOX)
    target = {"ada": rows[1].place}
    assert auto.call(Progress(auto.session, target)) == ("ada",)
    withdraw(auto, named(WaitsAt.MAILBOX, rows[1]))
    assert auto.call(Progress(auto.session, target)) == ("ada",)
    stand = auto.take("ada")
    assert auto.call(Progress(auto.session, target)) == ("ada",)
    auto.commit("ada", "t1", stand)
    assert auto.call(Progress(auto.session, target)) == ()


def test_a_removed_branch_may_have_sent_mail(manual: Road) -> None:
    """What it has sent still waits in its outbox, and can be withdrawn."""
    manual.pooled("ben", "ada")
    manual.say("ben", "ada", 1)
    manual.close("ben")
    assert words(withdraw(manual, first(manual, WaitsAt.OUTBOX, 1, "ben"), "ben")) == [Outcome.OK]
    assert [letter.branch for letter in manual.dead()] == ["ada"]
