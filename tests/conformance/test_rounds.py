"""Manual delivery: mail waits in outboxes until it is collected, sent and received."""

from dataclasses import replace

import pytest

from lion_broker.mail.exchange import Exchange
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import Posted
from lion_broker.mail.verbs import Collect, Progress, Receive, Send
from tests.conformance.road import Road, texts


def test_mail_waits_in_the_outbox(manual: Road) -> None:
    """A post moves nothing to the recipient and wakes nobody."""
    manual.pooled("ada", "ben")
    manual.say("ada", "ben", 1)
    assert (manual.branch("ada").outbox, manual.branch("ben").inbox, manual.branch("ben").waiting) == (
        1,
        0,
        0,
    )
    assert manual.ready() == ()
    assert manual.counter("posted") == 0


def test_the_sender_must_be_known(manual: Road) -> None:
    """Mail of an unknown sender has no outbox to wait in: UNKNOWN, nothing written."""
    manual.local("ada")
    before = manual.state()
    posted = manual.post(manual.mail("ada", "ada"), manual.mail("nobody", "ada"))
    assert posted.outcome is Outcome.UNKNOWN
    assert manual.state() == before


def test_the_session_itself_may_send(manual: Road) -> None:
    """The session has an outbox under its own id."""
    manual.local("ada")
    manual.say(manual.session, "ada", "from the session")
    assert manual.branch(manual.session).outbox == 1
    manual.send()
    assert texts(manual.inbox("ada")) == ["from the session"]


@pytest.mark.parametrize("recipient", ["nobody", "closed"])
def test_recipients_are_checked_when_posting(manual: Road, recipient: str) -> None:
    """Also with manual delivery a post to an unknown or closed branch is refused whole."""
    manual.local("ada", "closed")
    manual.close("closed", token="mine")
    before = manual.state()
    posted = manual.post(manual.mail("ada", "ada"), manual.mail("ada", recipient))
    assert posted == Posted(Outcome.UNKNOWN if recipient == "nobody" else Outcome.CLOSED, recipient)
    assert manual.state() == before


def test_commands_go_straight_to_the_mailbox(manual: Road) -> None:
    """A command waits for no round, whoever sends it, and reaches local branches in their inbox."""
    manual.pooled("ada")
    manual.local("ben")
    assert manual.post(manual.command("ada"), manual.command("ben", sender="visitor")) == Posted(Outcome.OK)
    assert texts(manual.take("ada").entries) == ["do it"]
    assert texts(manual.inbox("ben")) == ["do it"]
    assert manual.branch(manual.session).outbox == 0


def test_a_round_step_by_step(manual: Road) -> None:
    """Collect, send, receive: only the last makes a pooled branch ready."""
    manual.pooled("ada", "ben")
    manual.say("ada", "ben", 1, 2)
    assert manual.collect().count == 2
    assert (manual.branch("ada").outbox, manual.branch("ben").inbox) == (0, 0)
    assert manual.send().count == 2
    assert (manual.branch("ben").inbox, manual.branch("ben").waiting) == (2, 0)
    assert texts(manual.inbox("ben")) == [1, 2]
    assert manual.ready() == ()
    assert manual.receive().count == 2
    assert manual.branch("ben").inbox == 0
    assert texts(manual.take("ben").entries) == [1, 2]


@pytest.mark.parametrize("step", ["collect", "send", "receive"])
def test_an_empty_round_moves_nothing(manual: Road, step: str) -> None:
    """Without mail every step answers zero and no more."""
    manual.pooled("ada")
    moved = getattr(manual, step)()
    assert (moved.count, moved.dead, moved.more, dict(moved.targets)) == (0, 0, False, {})


@pytest.mark.parametrize("verb", [Collect("nowhere"), Send("nowhere"), Receive("nowhere")])
def test_a_round_of_an_unknown_session_moves_nothing(exchange: Exchange, verb: Collect | Send | Receive) -> None:
    """A session that is not there has no mail."""
    moved = exchange.call(verb)
    assert (moved.count, moved.more) == (0, False)


def test_sending_needs_no_collecting(manual: Road) -> None:
    """Send takes mail out of outboxes too, and with `receive` brings it to the mailbox in one call."""
    manual.pooled("ada", "ben")
    manual.say("ada", "ben", 1)
    moved = manual.send(receive=True)
    assert (moved.count, moved.dead) == (1, 0)
    assert texts(manual.take("ben").entries) == [1]
    assert manual.branch("ben").inbox == 0


def test_local_branches_receive_from_their_inbox(manual: Road) -> None:
    """`receive` leaves the mail of a local branch in its inbox, where its owner takes it."""
    manual.local("ada", "ben")
    manual.say("ada", "ben", 1)
    manual.send(receive=True)
    assert manual.receive().count == 0
    assert texts(manual.inbox("ben")) == [1]


def test_mail_reaches_the_session_itself(manual: Road) -> None:
    """The session is a recipient like any other, in its own inbox."""
    manual.pooled("ada")
    manual.say("ada", manual.session, "to the session")
    moved = manual.send(receive=True)
    assert texts(manual.inbox(manual.session)) == ["to the session"]
    assert list(moved.targets) == [manual.session]


def test_only_some_outboxes_are_collected(manual: Road) -> None:
    """Mail of other senders, and unknown names, stay out of it."""
    manual.local("ada", "ben", "eve")
    manual.say("ada", "eve", 1)
    manual.say("ben", "eve", 2)
    assert manual.collect("ben", "nobody").count == 1
    assert (manual.branch("ada").outbox, manual.branch("ben").outbox) == (1, 0)
    assert manual.call(Collect(manual.session, ())).count == 0


def test_only_some_recipients_are_sent_to(manual: Road) -> None:
    """Mail for others stays where it is, collected or in an outbox, and keeps its order."""
    manual.local("ada", "ben", "eve")
    manual.say("ada", "ben", 1)
    manual.say("ada", "eve", 2)
    manual.collect()
    manual.say("ada", "eve", 3)
    manual.say("ada", "ben", 4)
    manual.say("ada", "eve", 5)
    assert manual.move_all(Send(manual.session, ("eve", "nobody"))).count == 3
    assert texts(manual.inbox("eve")) == [2, 3, 5]
    assert manual.inbox("ben") == ()
    assert manual.move_all(Send(manual.session)).count == 2
    assert texts(manual.inbox("ben")) == [1, 4]


def test_only_some_branches_receive(manual: Road) -> None:
    """Mail of other branches stays in their inboxes."""
    manual.pooled("ada", "ben", "eve")
    manual.post(manual.mail("ada", "ben", 1), manual.mail("ada", "eve", 2))
    manual.send()
    assert manual.receive("eve", "nobody").count == 1
    assert [ready.branch for ready in manual.ready()] == ["eve"]
    assert texts(manual.inbox("ben")) == [1]


def test_mail_of_different_rounds_stays_in_order(manual: Road) -> None:
    """However the steps are mixed, mail of one sender to one recipient is handed out as it was sent."""
    manual.pooled("ada", "ben")
    manual.say("ada", "ben", 1)
    manual.send()
    manual.say("ada", "ben", 2)
    manual.collect()
    manual.say("ada", "ben", 3)
    manual.move_all(Send(manual.session, receive=True))
    manual.say("ada", "ben", 4)
    manual.move_all(Send(manual.session, ("ben",), receive=True))
    manual.move_all(Receive(manual.session))
    assert texts(manual.take("ben").entries) == [1, 2, 3, 4]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 200])
def test_order_survives_many_batches(manual: Road, limit: int) -> None:
    """Every step moves at most `limit` mails a call, says whether there is more, and keeps the order."""
    manual.pooled("ada", "ben", "eve")
    for number in range(6):
        manual.post(manual.mail("ada", "eve", ["ada", number]), manual.mail("ben", "eve", ["ben", number]))
    first = manual.collect(limit=limit)
    assert first.count == min(limit, 12)
    assert first.more is (limit < 12)
    assert manual.move_all(Collect(manual.session, limit=limit)).count == 12 - first.count
    assert manual.move_all(Send(manual.session, ("eve",), limit=limit)).count == 12
    assert manual.move_all(Receive(manual.session, limit=limit)).count == 12
    said = texts(manual.take("eve").entries)
    for sender in ("ada", "ben"):
        assert [number for name, number in said if name == sender] == list(range(6))


def test_a_bounded_step_says_when_it_is_done(manual: Road) -> None:
    """`more` is false as soon as nothing is left, also when the limit was just reached."""
    manual.pooled("ada", "ben")
    for step in (manual.collect, manual.send, manual.receive):
        manual.say("ada", "ben", 1, 2, 3, 4)
        if step == manual.receive:
            manual.send()
        assert [step(limit=2).more, step(limit=2).more] == [True, False]
        manual.send()
        manual.receive()


def test_a_step_is_not_starved_by_other_recipients(manual: Road) -> None:
    """Mail for one recipient is found behind much mail for others."""
    manual.local("ada", "ben", "eve")
    manual.say("ada", "ben", *range(300))
    manual.say("ada", "eve", "at last")
    assert manual.move_all(Send(manual.session, ("eve",), limit=10)).count == 1
    assert texts(manual.inbox("eve")) == ["at last"]
    assert manual.branch("ada").outbox == 300


def test_targets_name_the_newest_mail_of_each(manual: Road) -> None:
    """A pooled branch's target is its newest mailbox entry, a local one's that of its inbox."""
    manual.pooled("ada")
    manual.local("ben")
    manual.say("ben", "ada", 1, 2)
    manual.say("ada", "ben", 3)
    targets = manual.send(receive=True).targets
    assert set(targets) == {"ada", "ben"}
    assert targets["ben"] == manual.inbox("ben")[-1].id
    claimed = manual.take("ada")
    assert targets["ada"] == claimed.entries[-1].id
    assert manual.call(Progress(manual.session, {"ada": targets["ada"]})) == ("ada",)
    manual.commit("ada", "t1", claimed)
    assert manual.call(Progress(manual.session, {"ada": targets["ada"]})) == ()


def test_received_mail_is_a_target_too(manual: Road) -> None:
    """Receive names the newest mailbox entry of each branch that got mail."""
    manual.pooled("ada", "ben")
    manual.say("ben", "ada", 1, 2)
    manual.send()
    targets = manual.receive().targets
    assert dict(targets) == {"ada": manual.take("ada").entries[-1].id}


def test_mail_for_a_branch_that_has_closed_becomes_a_dead_letter(manual: Road) -> None:
    """What was posted before the closing ends as a dead letter, other mail goes on, and `dead` counts it."""
    manual.local("ada", "ben", "eve")
    manual.post(manual.mail("ada", "ben", 1), manual.mail("ada", "eve", 2), manual.mail("ada", "ben", 3))
    manual.close("ben", token="mine")
    collected, sent = manual.collect(), manual.send()
    assert collected.dead + sent.dead == 2
    assert sent.count == 1
    assert texts(manual.dead()) == [1, 3]
    assert {(letter.reason, letter.branch) for letter in manual.dead()} == {("closed", "ben")}
    assert texts(manual.inbox("eve")) == [2]


def test_mail_that_does_not_fit_becomes_a_dead_letter(exchange: Exchange) -> None:
    """A round ends also when a recipient is full: up to twice the limit arrives, the rest is kept as `full`."""
    road = Road(exchange, "manual", cap=1).open()
    road.local("ada", "ben")
    road.say("ada", "ben", 1, 2, 3)
    moved = road.send()
    assert (moved.count, moved.dead, moved.more) == (2, 1, False)
    assert texts(road.inbox("ben")) == [1, 2]
    assert [(letter.reason, letter.branch) for letter in road.dead()] == [("full", "ben")]


def test_each_mail_counts_as_posted_once(manual: Road) -> None:
    """`posted` counts the delivery, not the way from inbox to mailbox; `inflight` what is in mailboxes."""
    manual.pooled("ada", "ben")
    manual.say("ada", "ben", 1, 2)
    manual.collect()
    assert (manual.counter("posted"), manual.counter("inflight")) == (0, 0)
    manual.send()
    assert (manual.counter("posted"), manual.counter("inflight")) == (2, 0)
    manual.receive()
    assert (manual.counter("posted"), manual.counter("inflight")) == (2, 2)


def test_what_nobody_can_take_is_dead_when_it_is_collected(manual: Road) -> None:
    """Mail for a branch that is no more is a dead letter as soon as it is collected, and does not count as moved."""
    manual.pooled("ada", "ben")
    manual.say("ada", "ben", 1)
    manual.close("ben")
    moved = manual.collect()
    assert (moved.count, moved.dead, moved.more) == (0, 1, False)
    assert texts(manual.dead()) == [1]


@pytest.mark.parametrize("kind", ["send", "receive"])
def test_a_repeated_move_says_again_who_got_mail(manual: Road, kind: str) -> None:
    """After a lost answer the very same verb answers the same, and has moved nothing more."""
    manual.pooled("ada")
    manual.local("ben")
    manual.say("ben", "ada", 1)
    verb: Send | Receive = Send(manual.session, receive=True, nonce="this one")
    if kind == "receive":
        manual.send()
        verb = Receive(manual.session, nonce="this one")
    first = manual.call(verb)
    assert first.targets.keys() == {"ada"}
    assert manual.call(verb) == first
    manual.say("ben", "ada", 2)
    assert manual.call(replace(verb, nonce="another one")) != first
    assert manual.branch("ada").waiting == (2 if kind == "send" else 1)
