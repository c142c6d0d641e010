"""Mail that waits is withdrawn before anybody handles it: it becomes a dead letter, and nothing else moves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lion_broker.errors import ConfigError
from lion_broker.mail.answers import Swept, Withdrawn
from lion_broker.mail.exchange import Exchange
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import START, Deferral
from lion_broker.mail.verbs import (
    AwaitReply,
    Exhume,
    Pause,
    Post,
    Progress,
    Promote,
    ReadWaiting,
    Resume,
    Step,
    Withdraw,
)
from lion_broker.mail.waiting import Waiting, WaitsAt, Withdrawal
from lion_broker.mail.wire import WireMail
from tests.conformance.road import Road, texts, wait_until

GONE = Withdrawn(Outcome.UNKNOWN)
HELD = Withdrawn(Outcome.HELD)


def at(road: Road, where: WaitsAt, branch: str = "ada") -> tuple[Waiting, ...]:
    """What waits at a station of a branch."""
    return road.call(ReadWaiting(road.session, branch, where, count=1000))


def named(where: WaitsAt, *rows: Waiting, client: str = "") -> tuple[Withdrawal, ...]:
    """Rows as they are named to be withdrawn."""
    mails = [row.mail for row in rows]
    assert all(isinstance(mail, WireMail) for mail in mails)
    return tuple(
        Withdrawal(row.mail.id, where, row.place, row.lane, client) for row in rows if isinstance(row.mail, WireMail)
    )


def withdraw(road: Road, mails: tuple[Withdrawal, ...], branch: str = "ada", **options: Any) -> tuple[Withdrawn, ...]:
    """Withdraw mails of a branch."""
    return road.call(Withdraw(road.session, branch, mails, options.pop("detail", "By a test."), **options))


def words(answers: tuple[Withdrawn, ...]) -> list[Outcome]:
    """What became of each."""
    return [one.outcome for one in answers]


def first(road: Road, where: WaitsAt, count: int = 1, branch: str = "ada") -> tuple[Withdrawal, ...]:
    """The first mails of a station."""
    return named(where, *at(road, where, branch)[:count])


def deferred(road: Road, *items: object, pause_ms: int = 60_000, token: str = "t0") -> None:
    """Have mails from ben fail and wait in his lane, the first after two attempts."""
    road.say("ben", "ada", *items)
    stand = road.take("ada", token)
    lane = tuple(
        Deferral(entry.id, "ben", *((pause_ms, 2) if place == 0 else (0, 0)))
        for place, entry in enumerate(stand.entries)
    )
    assert road.commit("ada", token, stand, deferred=lane, handled=0).outcome is Outcome.DRAINED


def test_a_mail_of_many_is_withdrawn(auto: Road) -> None:
    """It is a dead letter with all of the mail in it; the others are handled in their order, and counted."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1, 2, 3)
    wanted = at(auto, WaitsAt.MAILBOX)[1]
    (answer,) = withdraw(auto, named(WaitsAt.MAILBOX, wanted), detail="Wrong customer.")
    (letter,) = auto.dead()
    assert answer == Withdrawn(Outcome.OK, letter.id)
    assert (letter.reason, letter.detail, letter.branch) == ("withdrawn", "Wrong customer.", "ada")
    assert (letter.attempts, letter.owners, letter.mail) == (0, (), wanted.mail)
    assert (auto.counter("dead"), auto.counter("inflight"), auto.counter("posted")) == (1, 2, 3)
    assert [event.fields["letter"] for event in auto.events("dead")] == [letter.id]
    claimed = auto.take("ada")
    assert (texts(claimed.entries), claimed.attempts) == ([1, 3], 1)
    assert auto.commit("ada", "t1", claimed).outcome is Outcome.DRAINED
    assert (auto.counter("inflight"), auto.ready(), auto.sweep()) == (0, (), Swept())


def test_a_withdrawn_letter_is_sent_again(auto: Road) -> None:
    """Like any other; it comes as the same mail, behind what waits."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1, 2)
    (answer,) = withdraw(auto, first(auto, WaitsAt.MAILBOX))
    assert auto.call(Exhume(auto.session, (answer.letter,))) == (Outcome.OK,)
    assert (auto.dead(), auto.counter("inflight")) == ((), 2)
    assert texts(auto.take("ada").entries) == [2, 1]


def test_nothing_left_leaves_no_mark(auto: Road) -> None:
    """What nobody has to do is not in the ready stream; and the next mail is handed out with its mark as ever."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1, 2)
    assert words(withdraw(auto, first(auto, WaitsAt.MAILBOX, 2))) == [Outcome.OK] * 2
    assert (auto.ready(), auto.sweep(), auto.counter("inflight")) == ((), Swept(), 0)
    auto.say("ben", "ada", 3)
    entry, given = auto.given("ada")
    assert texts(given.entries) == [3]
    assert auto.commit("ada", entry, given).outcome is Outcome.DRAINED


def test_a_mark_that_was_read_is_cleared_all_the_same(auto: Road) -> None:
    """Its reader is told GONE when it claims."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1, 2)
    entry = auto.entry("ada")
    assert words(withdraw(auto, first(auto, WaitsAt.MAILBOX, 2))) == [Outcome.OK] * 2
    assert auto.claim("ada", "t1", entry).outcome is Outcome.GONE
    assert (auto.ready(), auto.sweep()) == ((), Swept())


def test_what_a_mark_hands_out_is_taken_back(auto: Road) -> None:
    """As long as nobody has read it; what came behind it is claimed with a mark of its own."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1)
    assert words(withdraw(auto, first(auto, WaitsAt.MAILBOX))) == [Outcome.OK]
    assert (auto.ready(), auto.sweep(), auto.branch("ada").tries) == ((), Swept(), 0)
    auto.say("ben", "ada", 2)
    auto.say("ben", "ada", 3)
    assert words(withdraw(auto, first(auto, WaitsAt.MAILBOX))) == [Outcome.OK]
    (ready,) = auto.ready()
    assert ready.given is None
    claimed = auto.claim("ada", "t1", ready.id)
    assert (claimed.outcome, texts(claimed.entries), claimed.attempts) == (Outcome.OK, [3], 1)
    assert [letter.attempts for letter in auto.dead()] == [0, 0]


def test_what_comes_behind_leaves_the_mark_alone(auto: Road) -> None:
    """The mail that it hands out is handed out all the same."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1)
    auto.say("ben", "ada", 2)
    assert words(withdraw(auto, named(WaitsAt.MAILBOX, at(auto, WaitsAt.MAILBOX)[1]))) == [Outcome.OK]
    entry, given = auto.given("ada")
    assert texts(given.entries) == [1]
    assert auto.commit("ada", entry, given).outcome is Outcome.DRAINED


def test_what_was_read_with_the_mark_is_held(auto: Road) -> None:
    """Its reader is at work, though nobody has heard of it yet: its commit counts."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1)
    entry, given = auto.given("ada")
    assert withdraw(auto, first(auto, WaitsAt.MAILBOX)) == (HELD,)
    assert auto.commit("ada", entry, given).outcome is Outcome.DRAINED
    assert auto.dead() == ()


def test_a_reader_ahead_has_nothing_yet(auto: Road) -> None:
    """It claims before it begins: what waits in its line can be withdrawn, and it is told GONE."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1)
    entry = auto.entry("ada", seats=0)
    assert words(withdraw(auto, first(auto, WaitsAt.MAILBOX))) == [Outcome.OK]
    assert auto.claim("ada", "t1", entry).outcome is Outcome.GONE
    assert (auto.ready(), auto.sweep()) == ((), Swept())


def test_what_a_worker_has_is_held(auto: Road) -> None:
    """Whole or not at all in each mail: those behind what was handed out go, and its commit counts."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1, 2, 3)
    stand = auto.take("ada", batch=2)
    assert words(withdraw(auto, first(auto, WaitsAt.MAILBOX, 3))) == [Outcome.HELD, Outcome.HELD, Outcome.OK]
    assert auto.commit("ada", "t1", stand).outcome is Outcome.DRAINED
    assert (texts(auto.dead()), auto.counter("inflight"), auto.counter("applied")) == ([3], 0, 2)


def test_an_owner_goes_on_with_what_is_left(auto: Road) -> None:
    """Its commit hands out the next mail there is."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1, 2, 3)
    stand = auto.take("ada", batch=1)
    assert words(withdraw(auto, named(WaitsAt.MAILBOX, at(auto, WaitsAt.MAILBOX)[1]))) == [Outcome.OK]
    answer = auto.commit("ada", "t1", stand, batch=10)
    assert (answer.outcome, texts(answer.entries), answer.attempts) == (Outcome.OK, [3], 1)
    assert auto.commit("ada", "t1", answer).outcome is Outcome.DRAINED


def test_an_owner_whose_lease_is_over_is_fenced(auto: Road) -> None:
    """As by a claim: what it would commit is not made, its attempt is written down, and the next mail has none."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1, 2)
    stand = auto.take("ada", lease_ms=1)
    row = at(auto, WaitsAt.MAILBOX)[0]
    (answer,) = wait_until(
        lambda: won if words(won := withdraw(auto, named(WaitsAt.MAILBOX, row))) != [Outcome.HELD] else None
    )
    assert answer.outcome is Outcome.OK
    assert [(letter.attempts, letter.owners) for letter in auto.dead()] == [(1, ("owner of t1",))]
    assert auto.commit("ada", "t1", stand).outcome is Outcome.FENCED
    auto.give_away()
    claimed = auto.take("ada", "t2")
    assert (texts(claimed.entries), claimed.attempts) == ([2], 1)
    assert auto.commit("ada", "t2", claimed).outcome is Outcome.DRAINED


def test_the_attempts_at_the_first_mail_stay(auto: Road) -> None:
    """Withdrawing another mail that a dead worker had counts its attempt at the first one."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1, 2)
    auto.take("ada", lease_ms=1)
    row = at(auto, WaitsAt.MAILBOX)[1]
    wait_until(lambda: words(withdraw(auto, named(WaitsAt.MAILBOX, row))) == [Outcome.OK])
    auto.give_away()
    claimed = auto.take("ada", "t2")
    assert (texts(claimed.entries), claimed.attempts) == ([1], 2)
    burial = auto.burial(claimed.entries[0].id)
    auto.commit("ada", "t2", claimed, buried=(burial,), handled=0)
    assert auto.dead()[-1].owners == ("owner of t1", "owner of t2")


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
    assert auto.dead()[0].detail == "By a test. A turn of it was cut after 1 calls outside, which are done."
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


def test_who_waits_for_a_mail_hears_of_it(auto: Road) -> None:
    """The answer comes like that of a command; nobody else's does."""
    auto.pooled("ada")
    auto.post(auto.command("ada"), auto.command("ada"))
    rows = at(auto, WaitsAt.MAILBOX)
    wanted = (*named(WaitsAt.MAILBOX, rows[0], client="me"), *named(WaitsAt.MAILBOX, rows[1]))
    withdraw(auto, wanted, answer=b'{"ok":false}')
    replies = auto.call(AwaitReply(auto.session, "me"))
    assert [(reply.in_reply_to, reply.body) for reply in replies] == [(wanted[0].mail, b'{"ok":false}')]


def test_a_second_time_it_is_gone(auto: Road) -> None:
    """Also in the same verb; a repeat after a lost answer is told the same again."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1, 2)
    wanted = first(auto, WaitsAt.MAILBOX)
    answers = withdraw(auto, (*wanted, *wanted), nonce="n1")
    assert words(answers) == [Outcome.OK, Outcome.UNKNOWN]
    assert withdraw(auto, (*wanted, *wanted), nonce="n1") == answers
    assert withdraw(auto, wanted, nonce="n2") == (GONE,)
    assert (texts(auto.dead()), auto.counter("dead")) == ([1], 1)


def test_what_is_not_there_is_not_withdrawn(auto: Road) -> None:
    """No session, no branch, no such place, another mail there, handled; and of a removed branch CLOSED."""
    auto.pooled("ada", "cleo")
    auto.say("ben", "ada", 1, 2)
    one, two = first(auto, WaitsAt.MAILBOX, 2)
    assert auto.call(Withdraw("nobody", "ada", (one,))) == (GONE,)
    assert withdraw(auto, (one,), "nobody") == (GONE,)
    assert withdraw(auto, (one,), "cleo") == (GONE,)
    for where in WaitsAt:
        odd = [replace(one, where=where, place=place, lane="ben") for place in ("1-1", START, two.place)]
        assert [withdraw(auto, (wanted,)) for wanted in odd] == [(GONE,)] * 3
    auto.commit("ada", "t1", auto.take("ada"))
    assert withdraw(auto, (one,)) == (GONE,)
    auto.say("ben", "ada", 3)
    (three,) = first(auto, WaitsAt.MAILBOX)
    auto.close("ada")
    assert words(withdraw(auto, (three,))) == [Outcome.CLOSED]
    assert auto.counter("dead") == 1


def test_a_removed_branch_may_have_sent_mail(manual: Road) -> None:
    """What it has sent still waits in its outbox, and can be withdrawn."""
    manual.pooled("ben", "ada")
    manual.say("ben", "ada", 1)
    manual.close("ben")
    assert words(withdraw(manual, first(manual, WaitsAt.OUTBOX, 1, "ben"), "ben")) == [Outcome.OK]
    assert [letter.branch for letter in manual.dead()] == ["ada"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"place": "x"}, {"place": ""}, {"mail": ""}, {"mail": 7}, {"mail": "\ud800"}, {"where": "attic"},
        {"lane": "a b"}, {"client": "a\nb"},
    ],
)  # fmt: skip
def test_what_cannot_be_a_place_is_refused(auto: Road, wrong: dict[str, Any]) -> None:
    """Before anything is asked."""
    with pytest.raises(ConfigError, match="Withdraw needs"):
        auto.call(Withdraw(auto.session, "ada", (replace(Withdrawal("m", WaitsAt.MAILBOX, "1-0"), **wrong),)))
