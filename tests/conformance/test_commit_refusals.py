"""Refused commits: the word says why, cursor and version where the branch stands; nothing was written."""

from dataclasses import replace
from typing import Any

import pytest

from lion_broker.mail.exchange import Exchange
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import Burial, Claimed, Reply
from lion_broker.mail.verbs import AwaitReply, Commit
from tests.conformance.road import TURN, Road, texts


def full_turn(road: Road, claimed: Claimed) -> Commit:
    """A turn that would leave a trace everywhere."""
    entries = claimed.entries
    return road.turn(
        "ada",
        "t1",
        claimed,
        records=(TURN, TURN),
        mails=(
            road.mail("ada", "ben", "out"),
            road.command("ben", "direct", "ada"),
            road.mail("ada", "nobody"),
        ),
        replies=(Reply("client", "asked", b"{}"),),
        aside=(entries[0].id,),
        buried=(Burial(entries[1].id, "poison", "words"),),
    )


def taken(road: Road) -> Claimed:
    """A pooled branch `ada` with four mails of which three are handed out, and a local branch `ben`."""
    road.pooled("ada")
    road.local("ben")
    road.post(*(road.command("ada", number) for number in range(4)))
    return road.take("ada", "t1", batch=3)


def refuse(road: Road, verb: Commit, outcome: Outcome) -> None:
    """Commit, and insist on the word and on nothing having changed."""
    before, where = road.state(), road.branch(verb.branch)
    answer = road.call(verb)
    assert (answer.outcome, answer.cursor, answer.version) == (outcome, where.cursor, where.version)
    assert road.state() == before
    assert road.call(AwaitReply(road.session, "client")) == ()


@pytest.mark.parametrize("delivery", ["auto", "manual"])
@pytest.mark.parametrize(
    "parts",
    [
        {"version": 0},
        {"version": 2},
        {"cursor": "1-1"},
        {"consumed": "18446744073709551615-1"},
        {"consumed": "0-1"},
        {"taken": ("1-1",)},
        {"aside": ("1-1",)},
        {"buried": (Burial("1-1", "poison", "words"),)},
    ],
    ids=str,
)
def test_a_turn_that_does_not_fit_writes_nothing(exchange: Exchange, delivery: str, parts: dict[str, Any]) -> None:
    """A wrong cursor or version, or an entry that is not there, is refused before the first write."""
    road = Road(exchange, delivery).open()
    verb = replace(full_turn(road, taken(road)), **parts)
    refuse(road, verb, Outcome.STALE)


def test_a_refused_turn_can_be_made_well(auto: Road) -> None:
    """A refusal takes nothing away: the right commit still goes through, whole."""
    claimed = taken(auto)
    verb = full_turn(auto, claimed)
    assert auto.call(replace(verb, taken=("1-1",))).outcome is Outcome.STALE
    answer = auto.call(verb)
    assert (answer.outcome, texts(answer.entries)) == (Outcome.OK, [3])
    assert texts(auto.inbox("ben")) == ["out", "direct"]
    assert texts(auto.inbox("ada")) == [0]
    assert sorted(letter.reason for letter in auto.dead()) == ["poison", "unknown_branch"]
    assert len(auto.call(AwaitReply(auto.session, "client"))) == 1


@pytest.mark.parametrize("part", ["aside", "buried"])
def test_only_mail_of_the_turn_is_set_aside_or_buried(auto: Road, part: str) -> None:
    """A mailbox entry past `consumed` is not the turn's to put away."""
    claimed = taken(auto)
    later = claimed.entries[2].id
    named = (later,) if part == "aside" else (Burial(later, "poison", "words"),)
    refuse(auto, auto.turn("ada", "t1", claimed, take=1, **{part: named}), Outcome.STALE)


def test_another_token_is_fenced(auto: Road) -> None:
    """A token that is not the branch's is FENCED, whatever else is right."""
    claimed = taken(auto)
    refuse(auto, replace(full_turn(auto, claimed), token="t2"), Outcome.FENCED)


def test_the_fence_comes_first(auto: Road) -> None:
    """A stranger learns FENCED also where an owner would learn ALREADY or STALE."""
    verb = replace(full_turn(auto, taken(auto)), token="t2")
    for parts in ({"version": 0}, {"version": 9}, {"cursor": "1-1"}, {"taken": ("1-1",)}):
        refuse(auto, replace(verb, **parts), Outcome.FENCED)


def test_a_repeated_commit_takes_effect_once(auto: Road) -> None:
    """The very same commit again says ALREADY, and where the branch stands now."""
    verb = full_turn(auto, taken(auto))
    assert auto.call(verb).outcome is Outcome.OK
    before = auto.state()
    again = auto.call(verb)
    assert (again.outcome, again.cursor, again.version) == (Outcome.ALREADY, verb.consumed, 2)
    assert auto.state() == before
    assert len(auto.call(AwaitReply(auto.session, "client"))) == 1


def test_a_repeated_last_commit_is_fenced(auto: Road) -> None:
    """After DRAINED the token is void: FENCED, though cursor and version tell that the turn was made."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1)
    verb = auto.turn("ada", "t1", auto.take("ada"))
    assert auto.call(verb).outcome is Outcome.DRAINED
    before = auto.state()
    again = auto.call(verb)
    assert (again.outcome, again.cursor, again.version) == (Outcome.FENCED, verb.consumed, verb.version + 1)
    assert auto.state() == before


def test_a_replaced_owner_is_fenced(auto: Road) -> None:
    """The commit of an owner that was replaced writes nothing; the new owner's does."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1)
    old = auto.take("ada", "t1", lease_ms=1)
    auto.give_away()
    new = auto.take("ada", "t2")
    refuse(auto, auto.turn("ada", "t1", old), Outcome.FENCED)
    assert auto.commit("ada", "t2", new).outcome is Outcome.DRAINED
    assert len(auto.log("ada")) == 2


@pytest.mark.parametrize(("session", "branch"), [("", "nobody"), ("nowhere", "ada")])
def test_committing_to_what_is_not_there(auto: Road, session: str, branch: str) -> None:
    """A branch that does not exist has no owner: FENCED; a session: UNKNOWN. Nothing comes into being."""
    claimed = taken(auto)
    word = Outcome.UNKNOWN if session else Outcome.FENCED
    verb = replace(auto.turn(branch, "t1", claimed), session=session or auto.session)
    assert auto.call(verb).outcome is word
    assert auto.record().branches == 2


def test_a_turn_without_records_is_no_turn(auto: Road) -> None:
    """A commit with nothing to write into the log is a ValueError and is not sent."""
    claimed = taken(auto)
    before = auto.state()
    with pytest.raises(ValueError, match="records"):
        auto.commit("ada", "t1", claimed, records=())
    assert auto.state() == before


@pytest.mark.parametrize("sender", ["ben", "visitor"])
def test_a_branch_sends_in_its_own_name(auto: Road, sender: str) -> None:
    """Outgoing mail with another sender is a ValueError and nothing is written."""
    claimed = taken(auto)
    before = auto.state()
    with pytest.raises(ValueError, match=sender):
        auto.commit("ada", "t1", claimed, mails=(auto.mail(sender, "ben"),))
    assert auto.state() == before


def test_another_commit_of_the_same_version_is_stale(exchange: Exchange) -> None:
    """A second copy of a branch that holds the same token does not take the other's commit for its own."""
    road = Road(exchange).open()
    road.local("ada")
    stand = road.claim("ada", "mine")
    mine, yours = (road.turn("ada", "mine", stand, nonce=nonce) for nonce in ("one", "two"))
    assert road.call(mine).outcome is Outcome.OK
    assert road.call(yours).outcome is Outcome.STALE
    assert road.call(mine).outcome is Outcome.ALREADY
