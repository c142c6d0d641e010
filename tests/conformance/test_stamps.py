"""What the log tells of each commit: when it was made, by whom, and how far the branch had come."""

from __future__ import annotations

import time

from lion_broker.mail.records import Deferral, Stamp
from tests.conformance.road import TURN, Road


def stamps(road: Road, branch: str) -> list[Stamp | None]:
    """The stamps of a log, a record each."""
    return [row.stamp for row in road.log(branch)]


def test_the_first_record_of_a_commit_has_its_stamp(auto: Road) -> None:
    """Its time is the exchange's, and lies between what was before and what came after."""
    before = int(time.time() * 1000) - 1000
    auto.pooled("ada")
    auto.say("x", "ada", 1, 2)
    claimed = auto.take("ada")
    auto.commit("ada", "t1", claimed, records=(TURN, TURN))
    created, turn, rest = stamps(auto, "ada")
    assert created is not None
    assert turn is not None
    assert (created.owners, created.consumed, rest) == ((), "", None)
    assert (turn.owners, turn.owner) == (("owner of t1",), "owner of t1")
    assert turn.consumed == claimed.entries[-1].id
    assert before <= created.at <= turn.at <= time.time() * 1000 + 1000
    assert claimed.now <= turn.at


def test_a_local_branch_is_stamped_by_its_creator(auto: Road) -> None:
    """A commit that handles nothing of a mailbox names no entry."""
    auto.local("ada")
    stand = auto.claim("ada", "mine")
    auto.commit("ada", "mine", stand)
    _, turn = stamps(auto, "ada")
    assert turn == Stamp(turn.at if turn else 0, ("owner of mine",))


def test_a_stamp_names_those_who_tried_before(auto: Road) -> None:
    """An owner whose lease ran out left no record; the next one's commit tells of it."""
    auto.pooled("ada")
    auto.say("x", "ada", 1)
    auto.claim("ada", "t1", auto.entry("ada"), lease_ms=1)
    auto.give_away()
    claimed = auto.take("ada", "t2")
    assert claimed.attempts == 2
    auto.commit("ada", "t2", claimed)
    last = stamps(auto, "ada")[-1]
    assert last is not None
    assert last.owners == ("owner of t1", "owner of t2")
    auto.say("x", "ada", 2)
    auto.commit("ada", "t3", auto.take("ada", "t3"))
    last = stamps(auto, "ada")[-1]
    assert last is not None
    assert last.owners == ("owner of t3",)


def test_a_turn_of_a_lane_is_stamped(auto: Road) -> None:
    """It names who tried before, and no entry of the mailbox, where the cursor stays."""
    auto.pooled("ada")
    auto.say("x", "ada", 1)
    claimed = auto.take("ada")
    entry = claimed.entries[0].id
    auto.commit("ada", "t1", claimed, deferred=(Deferral(entry, "x", 0, 1),), batch=0)
    again = auto.take("ada", "t2")
    assert again.lane == "x"
    auto.commit("ada", "t2", again, consumed=again.cursor, lane="x", lane_done=again.entries[0].id)
    *_, first, last = stamps(auto, "ada")
    assert first is not None
    assert last is not None
    assert (first.owners, first.consumed) == (("owner of t1",), entry)
    assert (last.owners, last.consumed) == (("owner of t1", "owner of t2"), "")
