"""Mail that its owner has in hand is stopped: it is a dead letter, and what its turn has done is not committed."""

from __future__ import annotations

from typing import Any

import pytest

from lion_broker.errors import ConfigError
from lion_broker.mail.answers import Swept, Withdrawn
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import START
from lion_broker.mail.verbs import AwaitReply, Exhume, Pause, ReadWorkers, Renew, Resume, Say, Station, Step
from lion_broker.mail.waiting import WaitsAt
from tests.conformance.road import Road, texts, wait_until
from tests.conformance.withdrawals import GONE, HELD, at, deferred, first, named, withdraw, words


def stop(road: Road, where: WaitsAt = WaitsAt.MAILBOX, place: int = 0, **options: Any) -> Withdrawn:
    """Stop the mail at a place of a station of ada."""
    (answer,) = withdraw(road, named(where, at(road, where)[place]), stop=True, **options)
    return answer


def test_a_mail_at_work_is_stopped(auto: Road) -> None:
    """Its owner commits nothing any more, and what is behind it goes on when that one has let go, as if new."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1, 2)
    stand = auto.take("ada")
    before = auto.log("ada")
    answer = stop(auto, detail="Stopped by a test.")
    (letter,) = auto.dead()
    assert answer == Withdrawn(Outcome.OK, letter.id)
    assert (letter.reason, letter.detail, letter.branch) == ("stopped", "Stopped by a test.", "ada")
    assert (letter.attempts, letter.owners, texts([letter])) == (1, ("owner of t1",), [1])
    assert (auto.renew("ada", "t1"), auto.commit("ada", "t1", stand).outcome) == (Outcome.FENCED, Outcome.FENCED)
    assert (auto.log("ada"), auto.counter("inflight"), auto.counter("applied")) == (before, 1, 0)
    assert (auto.release("ada", "t1"), auto.release("ada", "t1")) == (Outcome.OK, Outcome.FENCED)
    claimed = auto.take("ada", "t2")
    assert (texts(claimed.entries), claimed.attempts, claimed.cursor) == ([2], 1, START)
    assert auto.commit("ada", "t2", claimed).outcome is Outcome.DRAINED
    assert (auto.counter("inflight"), auto.counter("redelivered"), auto.ready(), auto.sweep()) == (0, 0, (), Swept())


def test_nobody_begins_the_next_beside_it(auto: Road) -> None:
    """As long as the owner has not let go, and its lease lives, it is HELD and no sweep gives it away."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1, 2)
    entry = auto.entry("ada")
    auto.claim("ada", "t1", entry)
    assert stop(auto).outcome is Outcome.OK
    record = auto.branch("ada")
    assert (record.stopped, record.leased, record.owner, record.at) == (True, True, "owner of t1", "")
    assert auto.claim("ada", "t2", entry).outcome is Outcome.HELD
    assert auto.claim("ada", "t1", entry).outcome is Outcome.HELD
    assert auto.sweep() == Swept(1, 0, 0)
    assert auto.release("ada", "t1") is Outcome.OK
    assert not auto.branch("ada").stopped


def test_an_owner_that_never_lets_go(auto: Road) -> None:
    """One that died at that moment, or hangs: the branch goes on when its lease is over, without what was stopped."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1, 2)
    stand = auto.take("ada", lease_ms=600)
    # On a machine that is so busy that the lease is over by now, it was stopped all the same.
    assert stop(auto).outcome is Outcome.OK
    auto.give_away()
    claimed = auto.take("ada", "t2")
    assert texts(claimed.entries) == [2]
    assert auto.commit("ada", "t1", stand).outcome is Outcome.FENCED
    assert auto.release("ada", "t1") is Outcome.FENCED
    assert auto.commit("ada", "t2", claimed).outcome is Outcome.DRAINED
    assert (texts(auto.dead()), auto.counter("inflight"), auto.ready()) == ([1], 0, ())


def test_what_came_with_its_mark_is_stopped(auto: Road) -> None:
    """Its reader is at work, though nobody has heard of it yet; the lease that it gets is the one that is named."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1)
    entry, given = auto.given("ada", owner="reader")
    assert stop(auto, lease_ms=60_000).outcome is Outcome.OK
    assert [(one.attempts, one.owners) for one in auto.dead()] == [(1, ("reader",))]
    record = auto.branch("ada")
    assert (record.stopped, record.leased, record.owner) == (True, True, "reader")
    auto.say("ben", "ada", 2)
    assert auto.renew("ada", entry) is Outcome.FENCED
    assert auto.commit("ada", entry, given).outcome is Outcome.FENCED
    assert auto.sweep() == Swept(1, 0, 0)
    assert auto.release("ada", entry) is Outcome.OK
    claimed = auto.take("ada", "t2")
    assert (texts(claimed.entries), claimed.attempts) == ([2], 1)
    assert auto.commit("ada", "t2", claimed).outcome is Outcome.DRAINED


def test_one_of_several_in_hand(auto: Road) -> None:
    """What its owner had done before it is done again by the next, without an attempt more."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1, 2, 3)
    auto.take("ada", batch=2)
    assert stop(auto, place=2) == GONE
    assert stop(auto, place=1).outcome is Outcome.OK
    assert [(one.attempts, one.owners) for one in auto.dead()] == [(1, ("owner of t1",))]
    assert auto.release("ada", "t1") is Outcome.OK
    claimed = auto.take("ada", "t2")
    assert (texts(claimed.entries), claimed.attempts) == ([1, 3], 1)
    assert auto.commit("ada", "t2", claimed).outcome is Outcome.DRAINED


def test_what_nobody_has_in_hand_is_not_stopped(auto: Road) -> None:
    """What waits, also with a mark that nobody has read, with a reader ahead, or delayed, stays."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1)
    assert stop(auto) == GONE
    entry = auto.entry("ada", seats=0)
    assert stop(auto) == GONE
    claimed = auto.claim("ada", "t1", entry)
    assert auto.commit("ada", "t1", claimed).outcome is Outcome.DRAINED
    auto.post(auto.mail("ben", "ada", 2, delay_ms=60_000))
    assert stop(auto, WaitsAt.DELAYED) == GONE
    assert (auto.dead(), auto.counter("delayed")) == ((), 1)


def test_a_commit_that_comes_first_wins(auto: Road) -> None:
    """What was handled is not there to be stopped, and the next mail that the commit handed out is another."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1, 2)
    stand = auto.take("ada", batch=1)
    wanted = first(auto, WaitsAt.MAILBOX)
    answer = auto.commit("ada", "t1", stand, batch=1)
    assert withdraw(auto, wanted, stop=True) == (GONE,)
    assert auto.commit("ada", "t1", answer).outcome is Outcome.DRAINED
    assert auto.dead() == ()


def test_stopped_twice(auto: Road) -> None:
    """The second time it is gone; a repeat after a lost answer is told the same; what is left can be withdrawn."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1, 2)
    auto.take("ada")
    wanted = first(auto, WaitsAt.MAILBOX, 2)
    answers = withdraw(auto, wanted[:1], stop=True, nonce="n1")
    assert withdraw(auto, wanted[:1], stop=True, nonce="n1") == answers
    assert withdraw(auto, wanted, stop=True, nonce="n2") == (GONE, GONE)
    assert words(withdraw(auto, wanted[1:])) == [Outcome.OK]
    assert auto.release("ada", "t1") is Outcome.OK
    assert ([one.reason for one in auto.dead()], auto.ready(), auto.sweep()) == (["stopped", "withdrawn"], (), Swept())
    assert auto.counter("inflight") == 0


def test_all_that_it_has_in_hand(auto: Road) -> None:
    """Several in one verb; a branch with nothing left has no mark when its owner has let go."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1, 2)
    auto.take("ada")
    assert words(withdraw(auto, first(auto, WaitsAt.MAILBOX, 2), stop=True)) == [Outcome.OK] * 2
    assert auto.release("ada", "t1") is Outcome.OK
    assert (auto.ready(), auto.sweep(), auto.counter("inflight")) == ((), Swept(), 0)
    auto.say("ben", "ada", 3)
    assert texts(auto.given("ada")[1].entries) == [3]


def test_a_lane_is_stopped_at_its_head(auto: Road) -> None:
    """The next of its sender is tried afresh, at once; the mailbox waits behind."""
    auto.pooled("ada")
    deferred(auto, 1, 2, pause_ms=0)
    auto.say("cleo", "ada", 3)
    claimed = auto.take("ada", "t1")
    assert (claimed.lane, texts(claimed.entries), claimed.attempts) == ("ben", [1], 3)
    assert stop(auto).outcome is Outcome.UNKNOWN
    assert stop(auto, WaitsAt.LANES).outcome is Outcome.OK
    assert [(one.attempts, one.owners[-1]) for one in auto.dead()] == [(3, "owner of t1")]
    assert auto.commit("ada", "t1", claimed, consumed=claimed.cursor, lane="ben").outcome is Outcome.FENCED
    assert auto.release("ada", "t1") is Outcome.OK
    claimed = auto.take("ada", "t2")
    assert (claimed.lane, texts(claimed.entries), claimed.attempts) == ("ben", [2], 1)


def test_the_last_of_a_lane(auto: Road) -> None:
    """The lane is none any more, and what waits in the mailbox goes on."""
    auto.pooled("ada")
    deferred(auto, 1, pause_ms=0)
    auto.say("cleo", "ada", 3)
    auto.take("ada", "t1")
    auto.call(Step(auto.session, "ada", "t1", f"{at(auto, WaitsAt.LANES)[0].mail.id}:model:1"))  # type: ignore[union-attr]
    assert stop(auto, WaitsAt.LANES).outcome is Outcome.OK
    assert auto.dead()[0].detail.endswith("that are not undone: 1.")
    assert auto.release("ada", "t1") is Outcome.OK
    claimed = auto.take("ada", "t2")
    assert (claimed.lane, texts(claimed.entries), claimed.lanes) == ("", [3], frozenset())
    assert auto.commit("ada", "t2", claimed).outcome is Outcome.DRAINED
    assert (auto.branch("ada").deferred, auto.counter("inflight")) == (0, 0)


def test_recorded_calls_go_with_it(auto: Road) -> None:
    """Those of the mails before it are kept for who does them again; whose turn was stopped records nothing more."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1, 2)
    stand = auto.take("ada")
    one, two = (entry.mail.id for entry in stand.entries)  # type: ignore[union-attr]
    for mail in (one, two):
        auto.call(Step(auto.session, "ada", "t1", f"{mail}:model:1", b"said"))
    assert stop(auto, place=1).outcome is Outcome.OK
    assert auto.dead()[0].detail == "By a test. Calls outside that its turn had begun, and that are not undone: 1."
    assert auto.call(Step(auto.session, "ada", "t1", f"{one}:model:2")).outcome is Outcome.FENCED
    assert auto.call(Say(auto.session, "ada", "t1", "me", one, b"so")) is Outcome.FENCED
    auto.release("ada", "t1")
    auto.take("ada", "t2")
    assert auto.call(Step(auto.session, "ada", "t2", f"{one}:model:1")).body == b"said"


def test_who_waits_for_the_answer_hears_of_it(auto: Road) -> None:
    """The answer comes like that of a command."""
    auto.pooled("ada")
    auto.post(auto.command("ada"))
    auto.given("ada")
    wanted = named(WaitsAt.MAILBOX, at(auto, WaitsAt.MAILBOX)[0], client="me")
    withdraw(auto, wanted, stop=True, answer=b'{"ok":false}')
    replies = auto.call(AwaitReply(auto.session, "me"))
    assert [(reply.in_reply_to, reply.body) for reply in replies] == [(wanted[0].mail, b'{"ok":false}')]


def test_a_paused_branch(auto: Road) -> None:
    """What it was at is stopped; what waits is handed out to nobody before it is resumed."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1, 2)
    auto.take("ada", batch=1)
    auto.call(Pause(auto.session, "ada", "later"))
    assert stop(auto).outcome is Outcome.OK
    assert auto.release("ada", "t1") is Outcome.OK
    assert (auto.ready(), auto.sweep()) == ((), Swept())
    auto.call(Resume(auto.session, "ada"))
    assert texts(auto.take("ada", "t2").entries) == [2]


def test_an_owner_whose_lease_is_over(auto: Road) -> None:
    """It is fenced as by a claim, and what is left goes to others with a sweep."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1, 2)
    stand = auto.take("ada", lease_ms=1)
    wait_until(lambda: not auto.branch("ada").leased)
    assert stop(auto).outcome is Outcome.OK
    assert [(one.reason, one.attempts) for one in auto.dead()] == [("stopped", 1)]
    assert not auto.branch("ada").stopped
    assert auto.commit("ada", "t1", stand).outcome is Outcome.FENCED
    auto.give_away()
    claimed = auto.take("ada", "t2")
    assert (texts(claimed.entries), claimed.attempts) == ([2], 1)


def test_a_program_is_not_stopped(auto: Road) -> None:
    """It has read more than it is at, and is no worker; nor is a branch that is not there or was removed."""
    auto.local("ada")
    auto.pooled("cleo")
    auto.say("ben", "ada", 1)
    assert stop(auto, WaitsAt.INBOX) == HELD
    auto.say("ben", "cleo", 2)
    auto.take("cleo", "t1")
    wanted = first(auto, WaitsAt.MAILBOX, branch="cleo")
    assert withdraw(auto, wanted, "nobody", stop=True) == (GONE,)
    auto.close("cleo")
    assert words(withdraw(auto, wanted, "cleo", stop=True)) == [Outcome.CLOSED]


def test_a_stopped_letter_is_sent_again(auto: Road) -> None:
    """Like any other, and tried afresh."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1)
    auto.given("ada")
    letter = stop(auto).letter
    assert auto.call(Exhume(auto.session, (letter,))) == (Outcome.OK,)
    assert (auto.dead(), auto.counter("inflight"), auto.ready()) == ((), 1, ())
    entry = str(auto.branch("ada").cursor)
    assert entry == START


def test_what_a_branch_is_at(auto: Road) -> None:
    """Its owner says so with its renewals, and since when; what another owner has said is not told of the next."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1, 2)
    stand = auto.take("ada")
    mail = stand.entries[1].mail.id  # type: ignore[union-attr]
    assert auto.branch("ada").at == ""
    assert auto.renew("ada", "t1", at=(mail,)) is Outcome.OK
    assert auto.renew("ada", "t1") is Outcome.OK
    first = auto.branch("ada")
    assert first.at == mail
    assert auto.call(ReadWorkers()).now - 60_000 < first.at_since <= auto.call(ReadWorkers()).now
    wait_until(lambda: auto.call(ReadWorkers()).now > first.at_since)
    auto.renew("ada", "t1", at=(mail,))
    assert (auto.branch("ada").at, auto.branch("ada").at_since) == (mail, first.at_since)
    auto.renew("ada", "t1", at=("the next",))
    assert auto.branch("ada").at == "the next"
    assert auto.branch("ada").at_since > first.at_since
    assert auto.renew("ada", "not mine", at=("another",)) is Outcome.FENCED
    assert auto.renew("ada", "t1", at=("",)) is Outcome.OK
    assert (auto.branch("ada").at, auto.branch("ada").at_since) == ("", 0)
    auto.renew("ada", "t1", at=(mail,), lease_ms=1)
    wait_until(lambda: not auto.branch("ada").leased)
    auto.give_away()
    auto.take("ada", "t2")
    assert auto.branch("ada").at == ""
    auto.renew("ada", "t2", at=(mail,))
    auto.release("ada", "t2")
    assert auto.branch("ada").at == ""


def test_each_says_it_of_its_own(auto: Road) -> None:
    """In one renewal of many, and for all of them or for none."""
    auto.pooled("ada", "cleo")
    auto.say("ben", "ada", 1)
    auto.say("ben", "cleo", 2)
    stations = tuple(Station(auto.session, ready.branch, ready.id) for ready in auto.ready())
    assert auto.call(Renew(stations, at=("one", ""))) == (Outcome.OK, Outcome.OK)
    assert [auto.branch(station.branch).at for station in stations] == ["one", ""]
    with pytest.raises(ConfigError, match=r"Renew\.at needs"):
        auto.call(Renew(stations, at=("one",)))
