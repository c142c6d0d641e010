"""What a worker keeps of branches after their turns is bounded by their number and by their messages."""

import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from lion_broker import Branch, Registry
from lion_broker.branch.directory import Directory
from lion_broker.branch.host import Host
from lion_broker.branch.ledger import Ledger
from lion_broker.branch.session_context import SessionContext
from lion_broker.core.ids import IDType
from lion_broker.core.pile import Pile
from lion_broker.errors import BranchError
from lion_broker.mail.memory import MemoryExchange
from lion_broker.messages import Instruction
from lion_broker.worker.warm import WarmBranches

AROUND = SessionContext(MemoryExchange(), IDType.create(), Directory("s"), Registry(), "owner")


def host(messages: int = 0) -> Host:
    """A host of a branch with so many messages."""
    said = [Instruction.create(instruction="hello") for _ in range(messages)]
    return Host(Branch(messages=said), AROUND, token="token")


def kept(warm: WarmBranches, *hosts: Host) -> list[Host]:
    """Those that are still kept; they are taken."""
    return [one for one in hosts if warm.take(one.branch.id) is one]


def test_a_branch_is_taken_once() -> None:
    """Who takes it has it alone; one that is kept again replaces what was kept of it."""
    warm, one = WarmBranches(), host(3)
    again = Host(one.branch, AROUND, token="again")
    warm.keep(one)
    warm.keep(again)
    assert warm.take(one.branch.id) is again
    assert warm.take(one.branch.id) is None


def test_the_number_of_branches_is_bounded() -> None:
    """The one that was kept longest ago goes first, however small."""
    warm, hosts = WarmBranches(branches=3), [host(number) for number in range(5)]
    for one in (*hosts[:3], hosts[0], *hosts[3:]):
        warm.keep(one)
    assert kept(warm, *hosts) == [hosts[0], hosts[3], hosts[4]]


def test_the_number_of_messages_is_bounded() -> None:
    """As many as need be make room for another."""
    warm, hosts = WarmBranches(messages=10), [host(4), host(4), host(2), host(5)]
    for one in hosts[:3]:
        warm.keep(one)
    warm.keep(hosts[3])
    assert kept(warm, *hosts) == hosts[2:]


@pytest.mark.parametrize("large", [10, 11, 50])
def test_a_large_branch_is_kept_alone(large: int) -> None:
    """It would be the most costly to read again; a next one takes its place."""
    warm, small, one, next_one = WarmBranches(messages=10), host(1), host(large), host(1)
    warm.keep(small)
    warm.keep(one)
    assert warm.take(small.branch.id) is None
    assert warm.take(one.branch.id) is one
    warm.keep(one)
    warm.keep(next_one)
    assert kept(warm, one, next_one) == [next_one]


def test_what_is_taken_makes_room() -> None:
    """However often branches come and go, and grow meanwhile, the sum stays that of what is kept."""
    warm, grows, other = WarmBranches(messages=10), host(1), host(5)
    for number in range(4):
        warm.keep(grows)
        assert warm.take(grows.branch.id) is grows
        grows.branch.messages.include(Instruction.create(instruction=str(number)))
    warm.keep(other)
    warm.keep(grows)
    assert kept(warm, other, grows) == [other, grows]


@pytest.mark.parametrize(("branches", "messages", "size"), [(4, 1000, 0), (1000, 20, 5)])
def test_branches_that_made_room_are_freed(branches: int, messages: int, size: int) -> None:
    """By their number and by their messages, at once and without a collection: that would hold up all others."""
    warm = WarmBranches(branches, messages)
    gc.disable()
    try:
        kept_once = [_keep_one(warm, size) for _ in range(30)]
        for one, messages_of_one in kept_once:
            assert (one() is None) == (messages_of_one() is None)
        assert len([one for one, _ in kept_once if one() is not None]) == 4
    finally:
        gc.enable()


def _keep_one(warm: WarmBranches, messages: int) -> tuple[weakref.ref[Host], weakref.ref[Pile[Any]]]:
    one = host(messages)
    one.attach()
    one.ledger = Ledger(AROUND.exchange, one.station, 1000)
    warm.keep(one)
    return weakref.ref(one), weakref.ref(one.branch.messages)


def test_who_still_has_it_can_only_read() -> None:
    """A task that a behaviour has left behind learns that its turn is over, whatever it does."""
    warm, one = WarmBranches(branches=1), host(2)
    one.attach()
    warm.keep(one)
    warm.keep(host())
    branch = one.branch
    assert len(branch.messages) == 2
    acts: tuple[Callable[[], object], ...] = (
        lambda: branch.send("anybody", "message", "hello"),
        lambda: branch.messages.include(Instruction.create(instruction="hello")),
        lambda: branch.logs.log("hello"),
    )
    for act in acts:
        with pytest.raises(BranchError, match="its turn has ended"):
            act()
