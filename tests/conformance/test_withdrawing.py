"""Mail that waits is withdrawn before anybody handles it: it becomes a dead letter, and nothing else moves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lion_broker.errors import ConfigError
from lion_broker.mail.answers import Swept, Withdrawn
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import START
from lion_broker.mail.verbs import AwaitReply, Exhume, Withdraw
from lion_broker.mail.waiting import WaitsAt, Withdrawal
from tests.conformance.road import Road, texts, wait_until
from tests.conformance.withdrawals import GONE, HELD, at, first, named, withdraw, words


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
