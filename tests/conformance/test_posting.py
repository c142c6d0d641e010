"""Posting with automatic delivery: whole or not at all, once, in order, straight to where mail is handled."""

from dataclasses import replace

import pytest

from lion_broker.mail.exchange import Exchange
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import Posted
from lion_broker.mail.verbs import Post
from tests.conformance.road import Road, texts


def test_mail_for_a_pooled_branch_wakes_a_worker(auto: Road) -> None:
    """The mail is in the mailbox, the branch is ready, and the worker gets the very mail that was posted."""
    auto.pooled("ada")
    mail = auto.mail("ben", "ada", {"text": "größer", "number": 1.5})
    assert auto.post(mail) == Posted(Outcome.OK)
    (ready,) = auto.ready()
    assert (ready.session, ready.branch) == (auto.session, "ada")
    claimed = auto.claim("ada", "t1", ready.id)
    assert [entry.mail for entry in claimed.entries] == [mail]
    assert auto.branch("ada").waiting == 1


def test_mail_for_a_local_branch_waits_in_its_inbox(auto: Road) -> None:
    """No worker is woken; the owner finds the mail in the inbox."""
    auto.local("ada")
    mail = auto.mail("ben", "ada")
    auto.post(mail)
    assert [entry.mail for entry in auto.inbox("ada")] == [mail]
    assert auto.ready() == ()
    assert (auto.branch("ada").inbox, auto.branch("ada").waiting) == (1, 0)


def test_a_large_mail_arrives_whole(auto: Road) -> None:
    """A body of 200 kB comes out as it went in, whichever way it is carried."""
    auto.local("ada")
    mail = auto.mail("ben", "ada", "ü" * 100_000)
    auto.post(mail)
    assert [entry.mail for entry in auto.inbox("ada")] == [mail]


def test_order_is_kept(auto: Road) -> None:
    """Mails come out in the order given, within a post and from post to post."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1, 2, 3)
    auto.say("eve", "ada", 4)
    auto.say("ben", "ada", 5)
    assert texts(auto.take("ada").entries) == [1, 2, 3, 4, 5]


def test_one_post_reaches_many(auto: Road) -> None:
    """One post may carry mail from several senders to several branches, pooled and local."""
    auto.pooled("ada", "ben")
    auto.local("eve")
    mails = [
        auto.mail("x", "ada", 1),
        auto.mail("y", "ben", 2),
        auto.mail("x", "eve", 3),
        auto.mail("y", "ada", 4),
    ]
    assert auto.post(*mails) == Posted(Outcome.OK)
    entries = {ready.branch: ready.id for ready in auto.ready()}
    assert set(entries) == {"ada", "ben"}
    assert texts(auto.claim("ada", "t1", entries["ada"]).entries) == [1, 4]
    assert texts(auto.claim("ben", "t2", entries["ben"]).entries) == [2]
    assert texts(auto.inbox("eve")) == [3]


def test_the_same_recipient_twice_is_marked_once(auto: Road) -> None:
    """Several mails for one branch, in one post or several, make one ready entry."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1, 2)
    auto.say("ben", "ada", 3)
    assert [ready.branch for ready in auto.ready()] == ["ada"]


def test_the_sender_need_not_be_a_branch(auto: Road) -> None:
    """With automatic delivery anyone may send, and a branch may write to itself."""
    auto.pooled("ada")
    auto.say("visitor", "ada", 1)
    auto.say("ada", "ada", 2)
    assert texts(auto.take("ada").entries) == [1, 2]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_an_unknown_recipient_stops_the_whole_post(auto: Road, place: int) -> None:
    """UNKNOWN names the recipient, and no mail of the post has gone anywhere."""
    auto.pooled("ada")
    auto.local("ben")
    mails = [auto.mail("x", "ada"), auto.mail("x", "ben")]
    mails.insert(place, auto.mail("x", "nobody"))
    before = auto.state()
    assert auto.post(*mails) == Posted(Outcome.UNKNOWN, "nobody")
    assert auto.state() == before
    assert auto.ready() == ()


def test_a_closed_recipient_stops_the_whole_post(auto: Road) -> None:
    """CLOSED names the recipient, and no mail of the post has gone anywhere."""
    auto.pooled("ada", "ben")
    auto.close("ben")
    before = auto.state()
    assert auto.post(auto.mail("x", "ada"), auto.mail("x", "ben")) == Posted(Outcome.CLOSED, "ben")
    assert auto.state() == before
    assert auto.ready() == ()


def test_a_session_must_exist(exchange: Exchange) -> None:
    """A post to an unknown session is UNKNOWN."""
    road = Road(exchange, session="nowhere")
    assert road.post(road.mail("x", "ada")).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("kind", ["pooled", "local"])
def test_a_full_mailbox_stops_the_whole_post(exchange: Exchange, kind: str) -> None:
    """FULL names the recipient; the mails of the same post count together, and there is no half post."""
    road = Road(exchange, cap=3).open()
    getattr(road, kind)("ada", "ben")
    road.say("x", "ada", 1)
    before = road.state()
    answer = road.post(road.mail("x", "ben", 0), *(road.mail("x", "ada", number) for number in (2, 3, 4)))
    assert answer == Posted(Outcome.FULL, "ada")
    assert road.state() == before
    rest = (road.mail("x", "ada", 2), road.mail("x", "ada", 3))
    assert road.call(Post(road.session, "other", 1, rest)) == Posted(Outcome.OK)


def test_a_mailbox_takes_mail_again_when_some_is_handled(exchange: Exchange) -> None:
    """The cap counts what waits, not what has been handled."""
    road = Road(exchange, cap=2).open()
    road.pooled("ada")
    road.say("x", "ada", 1, 2)
    claimed = road.take("ada")
    post = Post(road.session, "other", 1, (road.mail("x", "ada", 3),))
    assert road.call(post) == Posted(Outcome.FULL, "ada")
    road.commit("ada", "t1", claimed, take=1)
    assert road.call(post) == Posted(Outcome.OK)


def test_a_repeated_post_takes_effect_once(exchange: Exchange, auto: Road) -> None:
    """The same number with the same mails is a DUPLICATE, also when the recipient has been closed since."""
    auto.pooled("ada")
    post = Post(auto.session, "p", 1, (auto.mail("x", "ada"),))
    assert exchange.call(post) == Posted(Outcome.OK)
    before = auto.state()
    assert exchange.call(post).outcome is Outcome.DUPLICATE
    assert auto.state() == before
    auto.close("ada")
    assert exchange.call(post).outcome is Outcome.DUPLICATE


def test_repeated_posts_take_effect_once(exchange: Exchange, auto: Road) -> None:
    """Several posts in one round trip whose answers were lost may all be repeated."""
    auto.local("ada")
    posts = tuple(Post(auto.session, "p", number, (auto.mail("x", "ada", number),)) for number in (1, 2, 3))
    assert exchange.call_all(posts) == [Posted(Outcome.OK)] * 3
    assert [answer.outcome for answer in exchange.call_all(posts)] == [Outcome.DUPLICATE] * 3
    assert texts(auto.inbox("ada")) == [1, 2, 3]


def test_other_content_under_the_same_number_is_a_conflict(exchange: Exchange, auto: Road) -> None:
    """CONFLICT writes nothing, and the next number is still free."""
    auto.local("ada")
    exchange.call(Post(auto.session, "p", 1, (auto.mail("x", "ada", 1),)))
    before = auto.state()
    other = Post(auto.session, "p", 1, (auto.mail("x", "ada", 2),))
    assert exchange.call(other).outcome is Outcome.CONFLICT
    assert auto.state() == before
    assert exchange.call(replace(other, seq=2)).outcome is Outcome.OK


@pytest.mark.parametrize("seq", [2, 3, 2**50])
def test_no_number_is_left_out(exchange: Exchange, auto: Road, seq: int) -> None:
    """A producer begins at 1 and goes on by one; anything else is a GAP and writes nothing."""
    auto.local("ada")
    before = auto.state()
    assert exchange.call(Post(auto.session, "p", seq, (auto.mail("x", "ada"),))).outcome is Outcome.GAP
    assert auto.state() == before
    assert exchange.call(Post(auto.session, "p", 1, (auto.mail("x", "ada"),))).outcome is Outcome.OK
    assert exchange.call(Post(auto.session, "p", 3, (auto.mail("x", "ada"),))).outcome is Outcome.GAP


@pytest.mark.parametrize("refused", ["nobody", "closed", "full"])
def test_a_refusal_uses_no_number_up(exchange: Exchange, refused: str) -> None:
    """After UNKNOWN, CLOSED or FULL the same number carries the next post."""
    road = Road(exchange, cap=1).open()
    road.local("ada", "closed", "full")
    road.close("closed", token="mine")
    assert exchange.call(Post(road.session, "first", 1, (road.mail("x", "full"),))).outcome is Outcome.OK
    for _ in range(2):
        answer = exchange.call(Post(road.session, "p", 1, (road.mail("x", refused),)))
        assert answer.outcome in {Outcome.UNKNOWN, Outcome.CLOSED, Outcome.FULL}
    assert exchange.call(Post(road.session, "p", 1, (road.mail("x", "ada"),))).outcome is Outcome.OK


def test_producers_count_for_themselves(exchange: Exchange, auto: Road) -> None:
    """Numbers belong to a producer, not to the sender or the session."""
    auto.local("ada")
    for producer in ("p", "q"):
        answer = exchange.call(Post(auto.session, producer, 1, (auto.mail("x", "ada", producer),)))
        assert answer.outcome is Outcome.OK
    assert texts(auto.inbox("ada")) == ["p", "q"]


def test_many_producers_are_all_known(exchange: Exchange, auto: Road) -> None:
    """However many there are, what was posted a moment ago is known when it comes again."""
    auto.local("ada")
    mail = (auto.mail("x", "ada"),)
    posts = tuple(Post(auto.session, f"producer-{number}", 1, mail) for number in range(2100))
    assert {answer.outcome for answer in exchange.call_all(posts)} == {Outcome.OK}
    assert {answer.outcome for answer in exchange.call_all(posts)} == {Outcome.DUPLICATE}
    assert exchange.call(replace(posts[0], seq=2)).outcome is Outcome.OK
