"""A paused branch takes mail but no turns, until it is resumed."""

from dataclasses import replace

from lion_broker.mail.answers import Swept
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import START, BranchSeed, Deferral
from lion_broker.mail.verbs import (
    CreateBranch,
    DeleteSession,
    Pause,
    PausePool,
    Promote,
    ReadPools,
    Resume,
    ResumePool,
    Tidy,
)
from tests.conformance.road import Road, texts, wait_until


def pause(road: Road, branch: str = "ada") -> Outcome:
    """Pause a branch."""
    return road.call(Pause(road.session, branch, "a rest"))


def resume(road: Road, branch: str = "ada") -> Outcome:
    """Resume a branch."""
    return road.call(Resume(road.session, branch))


def test_a_paused_branch_is_not_marked(auto: Road) -> None:
    """Mail to it waits, and wakes nobody; resuming makes it ready."""
    auto.pooled("ada")
    assert pause(auto) is Outcome.OK
    auto.say("ben", "ada", 1)
    assert (auto.ready(), auto.branch("ada").waiting, auto.branch("ada").paused) == ((), 1, "a rest")
    assert resume(auto) is Outcome.OK
    assert texts(auto.take("ada").entries) == [1]
    assert auto.branch("ada").paused == ""


def test_pausing_twice_changes_nothing(auto: Road) -> None:
    """ALREADY, whoever asks; and the same of resuming."""
    auto.pooled("ada")
    assert (resume(auto), pause(auto), pause(auto)) == (Outcome.ALREADY, Outcome.OK, Outcome.ALREADY)
    assert (resume(auto), resume(auto)) == (Outcome.OK, Outcome.ALREADY)


def test_what_is_not_there_is_not_paused(auto: Road) -> None:
    """UNKNOWN for a branch that never was, CLOSED for one that was removed."""
    auto.pooled("ada")
    auto.close("ada")
    assert (pause(auto, "nobody"), resume(auto, "nobody")) == (Outcome.UNKNOWN, Outcome.UNKNOWN)
    assert (pause(auto), resume(auto)) == (Outcome.CLOSED, Outcome.CLOSED)


def test_a_mark_of_before_is_cleared_by_the_claim(auto: Road) -> None:
    """PAUSED takes the ready entry away with the mark, so that resuming makes a new one."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1, 2)
    pause(auto)
    assert auto.claim("ada", "t1", auto.entry("ada")).outcome is Outcome.PAUSED
    assert (auto.ready(), auto.sweep()) == ((), Swept())
    resume(auto)
    assert texts(auto.take("ada", "t2").entries) == [1, 2]


def test_a_mark_of_before_may_be_swept(auto: Road) -> None:
    """A reader that dies with the entry of a paused branch leaves nothing behind."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1)
    auto.entry("ada")
    pause(auto)
    assert auto.sweep() == Swept(seen=1, dropped=1)
    resume(auto)
    assert texts(auto.take("ada").entries) == [1]


def test_a_pause_may_end_before_anybody_noticed(auto: Road) -> None:
    """Paused and resumed with the mark in place, the branch has one entry."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1)
    pause(auto)
    resume(auto)
    auto.commit("ada", "t1", auto.take("ada"))
    assert (auto.ready(), auto.sweep()) == ((), Swept())


def test_a_turn_that_is_going_on_ends_first(auto: Road) -> None:
    """Its commit is accepted and answered DRAINED, though more waits."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1, 2)
    stand = auto.take("ada", batch=1)
    pause(auto)
    answer = auto.commit("ada", "t1", stand)
    assert (answer.outcome, answer.entries, auto.ready()) == (Outcome.DRAINED, (), ())
    resume(auto)
    assert texts(auto.take("ada", "t2").entries) == [2]


def test_a_commit_may_pause(auto: Road) -> None:
    """A turn that halts leaves its mail in its place and says why."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1, 2)
    stand = auto.take("ada")
    answer = auto.commit("ada", "t1", stand, 1, pause="no answer to 2")
    assert (answer.outcome, auto.branch("ada").paused, auto.branch("ada").waiting) == (
        Outcome.DRAINED,
        "no answer to 2",
        1,
    )
    assert [event.fields["reason"] for event in auto.events("paused")] == ["no answer to 2"]
    assert auto.ready() == ()
    resume(auto)
    claimed = auto.take("ada", "t2")
    assert (texts(claimed.entries), claimed.attempts) == ([2], 1)


def test_a_release_of_a_paused_branch_marks_nothing(auto: Road) -> None:
    """Nor does a branch that writes to itself and pauses."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1, 2)
    stand = auto.take("ada", batch=1)
    auto.commit("ada", "t1", stand, mails=(auto.mail("ada", "ada", 3),))
    pause(auto)
    assert auto.release("ada", "t1") is Outcome.OK
    assert auto.ready() == ()
    resume(auto)
    assert texts(auto.take("ada", "t2").entries) == [2, 3]


def test_resuming_tries_afresh_what_has_failed(auto: Road) -> None:
    """A lane is due at once, and its attempts are forgotten."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1)
    stand = auto.take("ada")
    deferral = Deferral(stand.entries[0].id, "ben", 60_000, 2)
    auto.commit("ada", "t1", stand, deferred=(deferral,), handled=0)
    pause(auto)
    resume(auto)
    claimed = auto.take("ada", "t2")
    assert (texts(claimed.entries), claimed.lane, claimed.attempts) == ([1], "ben", 1)


def test_a_lane_that_falls_due_does_not_wake_a_paused_branch(auto: Road) -> None:
    """Promoting marks nothing; resuming does."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1)
    stand = auto.take("ada")
    deferral = Deferral(stand.entries[0].id, "ben", 1, 1)
    auto.commit("ada", "t1", stand, deferred=(deferral,), handled=0, batch=0)
    pause(auto)
    for ready in auto.ready():
        assert auto.claim("ada", "t2", ready.id).outcome is Outcome.PAUSED
    wait_until(lambda: auto.call(Promote(auto.session)).next_ms is None)
    assert auto.ready() == ()
    resume(auto)
    claimed = auto.take("ada", "t3")
    verb = auto.turn("ada", "t3", claimed, 0, lane="ben", lane_done=claimed.entries[-1].id)
    assert auto.call(replace(verb, handled=1)).outcome is Outcome.DRAINED
    assert auto.branch("ada").cursor != START


def test_a_closed_branch_is_paused_no_more(auto: Road) -> None:
    """Its mail is dead, and nothing is left of the pause."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1)
    pause(auto)
    auto.close("ada")
    assert (auto.branch("ada").paused, texts(auto.dead())) == ("", [1])


def pool_of(road: Road) -> tuple[int, str] | None:
    """How many branches of the pool are paused, and why all of them are; None when nothing is to be said of it."""
    return next(((one.paused, one.pause) for one in road.call(ReadPools()) if one.pool == road.pool), None)


def test_what_is_paused_is_counted_by_pool(auto: Road) -> None:
    """Pausing, resuming, closing and removing keep the number; a pool of which nothing is paused is not shown."""
    for name in ("ada", "ben", "cleo"):
        auto.pooled(name)
    assert pool_of(auto) is None
    pause(auto), pause(auto), pause(auto, "ben"), pause(auto, "cleo")
    assert pool_of(auto) == (3, "")
    resume(auto), resume(auto)
    auto.close("ben")
    assert pool_of(auto) == (1, "")
    while auto.call(DeleteSession(auto.session)):
        pass
    assert pool_of(auto) is None


def test_a_commit_that_pauses_is_counted_once(auto: Road) -> None:
    """Also where somebody has paused the branch while the turn went on."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1, 2)
    stand = auto.take("ada")
    pause(auto)
    auto.commit("ada", "t1", stand, 1, pause="no answer to 2")
    assert pool_of(auto) == (1, "")
    resume(auto)
    auto.commit("ada", "t2", auto.take("ada", "t2"), 0, pause="no answer to 2")
    assert pool_of(auto) == (1, "")


def test_what_is_made_for_a_paused_pool_is_paused(auto: Road) -> None:
    """With the first reason, and told; those that were there stay as they are, and so do those of other pools."""
    auto.pooled("ada")
    assert [auto.call(PausePool(auto.pool, why)) for why in ("no model", "another")] == [Outcome.OK, Outcome.ALREADY]
    auto.pooled("ben")
    assert auto.call(CreateBranch(auto.session, BranchSeed("cleo", pool=f"{auto.pool}-of-others"), ())) is Outcome.OK
    assert [auto.branch(name).paused for name in ("ada", "ben", "cleo")] == ["", "no model", ""]
    assert [event.fields["reason"] for event in auto.events("paused")] == ["no model"]
    auto.say("ada", "ben", 1)
    assert (auto.ready(), pool_of(auto)) == ((), (1, "no model"))
    assert [auto.call(ResumePool(auto.pool)) for _ in range(2)] == [Outcome.OK, Outcome.ALREADY]
    auto.pooled("dan")
    assert (auto.branch("dan").paused, pool_of(auto)) == ("", (1, ""))
    resume(auto, "ben")
    assert texts(auto.take("ben").entries) == [1]


def test_a_paused_pool_outlasts_its_branches(auto: Road) -> None:
    """Nobody need use it: what is tidied up is not that."""
    auto.call(PausePool(auto.pool, "no model"))
    auto.call(Tidy(auto.pool, 0))
    auto.call(Tidy("elsewhere", 0))
    assert pool_of(auto) == (0, "no model")
    auto.pooled("ada")
    auto.close("ada")
    assert pool_of(auto) == (0, "no model")
    auto.call(ResumePool(auto.pool))
    assert pool_of(auto) is None
