"""What a turn sends: delivered at once or put into the outbox; what nobody takes is a dead letter."""

import pytest

from lion_broker.mail.exchange import Exchange
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.verbs import Post
from tests.conformance.road import Road, texts


def test_automatic_mail_arrives_with_the_commit(auto: Road) -> None:
    """Pooled recipients become ready, local ones and the session find it in their inboxes, all in order."""
    auto.pooled("ada", "ben")
    auto.local("eve")
    auto.say("x", "ada", 0)
    claimed = auto.take("ada")
    recipients = ["ben", "eve", auto.session, "ben"]
    mails = tuple(auto.mail("ada", recipient, number) for number, recipient in enumerate(recipients))
    assert auto.commit("ada", "t1", claimed, mails=mails).outcome is Outcome.DRAINED
    assert texts(auto.take("ben", "t2").entries) == [0, 3]
    assert [entry.mail for entry in auto.inbox("eve")] == [mails[1]]
    assert texts(auto.inbox(auto.session)) == [2]
    assert auto.counter("posted") == 5


def test_a_branch_that_writes_to_itself_goes_on(auto: Road) -> None:
    """Mail to oneself comes with the answer of the commit that sent it."""
    auto.pooled("ada")
    auto.say("x", "ada", 1)
    answer = auto.commit("ada", "t1", auto.take("ada"), mails=(auto.mail("ada", "ada", 2),))
    assert (answer.outcome, texts(answer.entries)) == (Outcome.OK, [2])
    assert auto.commit("ada", "t1", answer).outcome is Outcome.DRAINED
    assert auto.ready() == ()


def test_mail_to_oneself_survives_a_hand_over(auto: Road) -> None:
    """With `batch=0` it makes the branch ready for others, with exactly one entry."""
    auto.pooled("ada")
    auto.say("x", "ada", 1)
    mails = (auto.mail("ada", "ada", 2),)
    assert auto.commit("ada", "t1", auto.take("ada", "t1"), mails=mails, batch=0).outcome is Outcome.DRAINED
    assert texts(auto.take("ada", "t2").entries) == [2]


def test_a_handled_mail_makes_room_for_an_answer_to_oneself(exchange: Exchange) -> None:
    """A full mailbox has room again for what the turn sends that empties it."""
    road = Road(exchange, cap=1).open()
    road.pooled("ada")
    road.say("x", "ada", 1)
    answer = road.commit("ada", "t1", road.take("ada"), mails=(road.mail("ada", "ada", 2),))
    assert texts(answer.entries) == [2]
    assert road.dead() == ()


def test_manual_mail_waits_in_the_senders_outbox(manual: Road) -> None:
    """Mail waits for the round, commands do not."""
    manual.pooled("ada", "ben")
    manual.post(manual.command("ada"))
    mails = (manual.mail("ada", "ben", 1), manual.command("ben", "now", "ada"), manual.mail("ada", "ben", 2))
    assert manual.commit("ada", "t1", manual.take("ada"), mails=mails).outcome is Outcome.DRAINED
    assert manual.branch("ada").outbox == 2
    claimed = manual.take("ben", "t2")
    assert texts(claimed.entries) == ["now"]
    manual.send(receive=True)
    assert texts(manual.commit("ben", "t2", claimed).entries) == [1, 2]


@pytest.mark.parametrize("delivery", ["auto", "manual"])
def test_refused_mail_becomes_a_dead_letter(exchange: Exchange, delivery: str) -> None:
    """An unknown or closed recipient fails neither the turn nor the mail beside it."""
    road = Road(exchange, delivery).open()
    road.pooled("ada")
    road.local("ben", "closed")
    road.post(road.command("ada"))
    claimed = road.take("ada")
    road.close("closed", token="mine")
    lost = (road.mail("ada", "nobody", 1), road.mail("ada", "closed", 3))
    mails = (lost[0], road.mail("ada", "ben", 2), lost[1])
    assert road.commit("ada", "t1", claimed, mails=mails).outcome is Outcome.DRAINED
    road.send()
    assert texts(road.inbox("ben")) == [2]
    dead = {letter.reason: (letter.branch, letter.mail) for letter in road.dead()}
    assert dead == {"unknown_branch": ("nobody", lost[0]), "closed": ("closed", lost[1])}
    assert road.counter("dead") == 2


def test_refused_commands_become_dead_letters(manual: Road) -> None:
    """A command of a turn that nobody takes is kept as a dead letter at once."""
    manual.pooled("ada")
    manual.post(manual.command("ada"))
    manual.commit("ada", "t1", manual.take("ada"), mails=(manual.command("nobody", sender="ada"),))
    assert [(letter.reason, letter.branch) for letter in manual.dead()] == [("unknown_branch", "nobody")]


@pytest.mark.parametrize("kind", ["pooled", "local"])
def test_mail_that_does_not_fit_becomes_a_dead_letter(exchange: Exchange, kind: str) -> None:
    """A turn is never refused because a recipient is full: twice the limit arrives, the rest is kept as `full`."""
    road = Road(exchange, cap=2).open()
    road.pooled("ada")
    getattr(road, kind)("ben")
    road.say("x", "ada", 0)
    road.say("x", "ben", 1)
    claimed = road.claim("ada", "t1", next(ready.id for ready in road.ready() if ready.branch == "ada"))
    mails = tuple(road.mail("ada", "ben", number) for number in (2, 3, 4, 5, 6))
    assert road.commit("ada", "t1", claimed, mails=mails).outcome is Outcome.DRAINED
    assert texts(road.dead()) == [5, 6]
    assert {(letter.reason, letter.branch) for letter in road.dead()} == {("full", "ben")}
    full = Post(road.session, "p", 1, (road.mail("x", "ben"),))
    assert road.call(full).outcome is Outcome.FULL


def test_one_turn_may_write_to_many(auto: Road) -> None:
    """Several hundred mails of one commit arrive, each recipient marked once."""
    names = [f"reader-{number}" for number in range(40)]
    auto.pooled("ada", *names)
    auto.say("x", "ada", 0)
    mails = tuple(auto.mail("ada", name, number) for number in range(8) for name in names)
    auto.commit("ada", "t1", auto.take("ada"), mails=mails)
    assert sorted(ready.branch for ready in auto.ready()) == sorted(names)
    assert {auto.branch(name).waiting for name in names} == {8}
