"""Dead letters go on their way again, edited or as they are, or out of the store."""

from lion_broker.mail.exchange import Exchange
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import Burial
from lion_broker.mail.verbs import Drop, Exhume, ReadReady
from tests.conformance.road import Road, texts


def buried(road: Road, *items: object) -> tuple[str, ...]:
    """Have mails to `ada` fail; the dead letters, oldest first."""
    if "ada" not in road.branches:
        road.pooled("ada")
    road.say("ben", "ada", *items)
    stand = road.take("ada", f"t{len(road.dead())}")
    burials = tuple(Burial(entry.id, "failed", "ValueError: no", 3, error="ValueError") for entry in stand.entries)
    road.commit("ada", f"t{len(road.dead())}", stand, buried=burials, handled=0)
    return tuple(letter.id for letter in road.dead())


def exhume(road: Road, *letters: str) -> tuple[Outcome, ...]:
    """Send letters again."""
    return road.call(Exhume(road.session, letters))


def test_a_letter_is_sent_again(auto: Road) -> None:
    """The same mail, under the same id, comes as if it were new; the letter is gone."""
    (letter,) = buried(auto, 1)
    before = auto.dead()[0].mail
    assert exhume(auto, letter) == (Outcome.OK,)
    assert (auto.dead(), auto.counter("dead"), auto.counter("inflight")) == ((), 0, 1)
    claimed = auto.take("ada", "t9")
    assert (claimed.attempts, claimed.entries[0].mail) == (1, before)
    assert [event.fields["letter"] for event in auto.events("exhumed")] == [letter]


def test_sending_again_twice_has_one_effect(auto: Road) -> None:
    """After a lost answer the repeat says that there is no such letter; so does a letter named twice."""
    (letter,) = buried(auto, 1)
    assert exhume(auto, letter, letter) == (Outcome.OK, Outcome.UNKNOWN)
    assert exhume(auto, letter) == (Outcome.UNKNOWN,)
    assert texts(auto.take("ada", "t9").entries) == [1]


def test_an_edited_letter_is_another_mail(auto: Road) -> None:
    """What goes is the mail that is given, to the branch where the letter was to take effect."""
    letters = buried(auto, 1, 2)
    mail = auto.mail("ben", "ada", "better")
    assert auto.call(Exhume(auto.session, letters, ((letters[1], mail),))) == (Outcome.OK, Outcome.OK)
    assert texts(auto.take("ada", "t9").entries) == [1, "better"]


def test_a_letter_of_a_removed_branch_stays(auto: Road) -> None:
    """CLOSED, and nothing is lost."""
    (letter,) = buried(auto, 1)
    auto.close("ada")
    assert exhume(auto, letter) == (Outcome.CLOSED,)
    assert texts(auto.dead()) == [1]


def test_a_letter_to_nobody_stays(auto: Road) -> None:
    """UNKNOWN, and the letter is there to be read, edited or dropped."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1)
    auto.commit("ada", "t1", auto.take("ada"), mails=(auto.mail("ada", "nobody", 2),))
    (letter,) = auto.dead()
    assert exhume(auto, letter.id) == (Outcome.UNKNOWN,)
    assert auto.dead() == (letter,)


def test_letters_find_no_more_room_than_others(exchange: Exchange) -> None:
    """FULL for those that do not fit; they stay."""
    road = Road(exchange, cap=2).open()
    letters = buried(road, 1, 2)
    road.say("ben", "ada", 3)
    assert exhume(road, *letters) == (Outcome.OK, Outcome.FULL)
    assert texts(road.dead()) == [2]


def test_a_letter_is_dropped(auto: Road) -> None:
    """It is gone for good, and dropping it again says so."""
    letters = buried(auto, 1, 2)
    assert auto.call(Drop(auto.session, letters[:1])) == (Outcome.OK,)
    assert auto.call(Drop(auto.session, letters)) == (Outcome.UNKNOWN, Outcome.OK)
    assert (auto.dead(), auto.counter("dead")) == ((), 0)
    assert auto.call(ReadReady(auto.pool, "worker", 1)) == ()


def test_nothing_is_sent_in_a_session_that_is_not_there(auto: Road) -> None:
    """UNKNOWN for each letter."""
    assert auto.call(Exhume("no-session", ("1-1", "2-1"))) == (Outcome.UNKNOWN, Outcome.UNKNOWN)
    assert auto.call(Drop("no-session", ("1-1",))) == (Outcome.UNKNOWN,)


def test_a_letter_of_a_local_branch_goes_into_its_inbox(auto: Road) -> None:
    """Where there is no worker there is no mailbox either."""
    auto.local("eve")
    auto.say("ben", "eve", 1)
    stand = auto.claim("eve", "mine")
    (entry,) = auto.inbox("eve")
    auto.commit("eve", "mine", stand, buried=(Burial(entry.id, "not_applied", "no", inbox=True),))
    (letter,) = auto.dead()
    assert exhume(auto, letter.id) == (Outcome.OK,)
    assert texts(auto.inbox("eve")) == [1]
