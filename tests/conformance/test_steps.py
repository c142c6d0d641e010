"""Calls that a turn makes outside, recorded so that whoever does the turn again need not make them again."""

from lion_broker.mail.answers import Stepped
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.verbs import Step
from tests.conformance.road import Road, wait_until

NEW = Stepped(Outcome.OK)
BEGUN = Stepped(Outcome.ALREADY)


def step(road: Road, name: str = "call:1", body: bytes = b"", token: str = "t1", branch: str = "ada") -> Stepped:
    """Record the beginning of a call, or with a body its result."""
    return road.call(Step(road.session, branch, token, name, body))


def at_work(road: Road) -> None:
    """Let `t1` be in a turn of `ada` over two mails."""
    road.pooled("ada")
    road.say("ben", "ada", 1, 2)


def test_a_result_is_kept_for_the_next_owner(auto: Road) -> None:
    """A worker that dies after its call leaves the result to whoever takes the branch over."""
    at_work(auto)
    auto.take("ada", "t1", lease_ms=1)
    assert step(auto) == NEW
    assert step(auto, body=b'{"answer":42}') == NEW
    wait_until(lambda: not auto.branch("ada").leased)
    auto.sweep()
    auto.take("ada", "t2")
    assert step(auto, token="t2") == Stepped(Outcome.OK, b'{"answer":42}')


def test_a_call_that_was_cut_is_known_to_have_begun(auto: Road) -> None:
    """Nobody knows how it ended, and each who asks is told so until a result is there."""
    at_work(auto)
    auto.take("ada", "t1")
    assert (step(auto), step(auto), step(auto)) == (NEW, BEGUN, BEGUN)
    assert step(auto, body=b"1") == NEW
    assert step(auto) == Stepped(Outcome.OK, b"1")


def test_calls_are_told_apart_by_name(auto: Road) -> None:
    """Each name has a record of its own, and so has each branch."""
    at_work(auto)
    auto.local("ben", token="mine")
    auto.take("ada", "t1")
    step(auto, "a", b"1")
    assert step(auto, "b") == NEW
    assert step(auto, "a", token="mine", branch="ben") == NEW
    assert step(auto, "a") == Stepped(Outcome.OK, b"1")


def test_only_the_owner_records(auto: Road) -> None:
    """A stale owner is fenced before its call, and what it learns is not recorded after it."""
    at_work(auto)
    auto.take("ada", "t1")
    step(auto)
    assert step(auto, token="t0") == Stepped(Outcome.FENCED)
    assert step(auto, body=b"1", token="t0") == Stepped(Outcome.FENCED)
    assert step(auto, branch="nobody") == Stepped(Outcome.FENCED)
    assert step(auto) == BEGUN


def test_a_commit_ends_the_records(auto: Road) -> None:
    """What was called for mails that are done is forgotten with them; a refused commit forgets nothing."""
    at_work(auto)
    stand = auto.take("ada", "t1")
    step(auto, body=b"1")
    assert auto.commit("ada", "t0", stand, 1).outcome is Outcome.FENCED
    assert step(auto) == Stepped(Outcome.OK, b"1")
    assert auto.commit("ada", "t1", stand, 1, after=stand.entries[-1].id).outcome is Outcome.OK
    assert step(auto) == NEW


def test_a_release_keeps_the_records(auto: Road) -> None:
    """A worker that hands its branch back in the middle of a turn leaves what it has called."""
    at_work(auto)
    auto.take("ada", "t1")
    step(auto, body=b"1")
    assert auto.release("ada", "t1") is Outcome.OK
    auto.take("ada", "t2")
    assert step(auto, token="t2") == Stepped(Outcome.OK, b"1")
