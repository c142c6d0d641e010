"""Cancelling a command: its owner learns that nobody waits for it any more."""

from lion_broker.mail.outcome import Outcome
from lion_broker.mail.verbs import Cancel, ReadCancelled
from tests.conformance.road import Road


def cancelled(road: Road, branch: str = "ada") -> frozenset[str]:
    """The cancelled commands of a branch."""
    return road.call(ReadCancelled(road.session, branch))


def test_the_owner_is_told_with_its_lease(auto: Road) -> None:
    """A renewal says that there is something to look at, until the lease ends; the lease is prolonged all the same."""
    auto.pooled("ada")
    auto.post(auto.command("ada"))
    stand = auto.take("ada", "t1", lease_ms=60_000)
    assert auto.renew("ada", "t1") is Outcome.OK
    assert auto.call(Cancel(auto.session, "ada", "command-1")) is Outcome.OK
    assert auto.renew("ada", "t1") is Outcome.CANCELLED
    assert auto.renew("ada", "t1") is Outcome.CANCELLED
    assert auto.renew("ada", "t0") is Outcome.FENCED
    assert cancelled(auto) == {"command-1"}
    auto.commit("ada", "t1", stand)
    auto.post(auto.command("ada"))
    auto.take("ada", "t2")
    assert auto.renew("ada", "t2") is Outcome.OK


def test_word_waits_for_an_owner(auto: Road) -> None:
    """A command that waits is cancelled as well: whoever takes it reads of it before beginning."""
    auto.pooled("ada")
    auto.post(auto.command("ada"))
    assert cancelled(auto) == frozenset()
    for command in ("command-1", "command-2", "command-1"):
        assert auto.call(Cancel(auto.session, "ada", command)) is Outcome.OK
    auto.take("ada", "t1")
    assert cancelled(auto) == {"command-1", "command-2"}


def test_nobody_is_told_of_a_branch_that_is_not_there(auto: Road) -> None:
    """An unknown branch is said to be unknown, and nothing is left behind for it."""
    assert auto.call(Cancel(auto.session, "nobody", "command-1")) is Outcome.UNKNOWN
    assert cancelled(auto, "nobody") == frozenset()
