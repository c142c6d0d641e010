"""Deficit round robin: in the long run every session gets the same, and who asks for little goes first."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lion_broker.worker.round_robin import RoundRobin

COSTS = st.lists(st.integers(1, 50), min_size=40, max_size=40)


def test_nothing_in_line() -> None:
    """There is nothing to take."""
    robin = RoundRobin[str](1)
    assert (robin.take(), robin.head(), len(robin), bool(robin)) == (None, None, 0, False)


def test_one_session_is_served_in_order() -> None:
    """Whatever its items cost."""
    robin = RoundRobin[int](1)
    for number in range(5):
        robin.put("a", number)
    taken = []
    while (found := robin.take()) is not None:
        taken.append(found[1])
        robin.charge("a", 1000)
    assert taken == list(range(5))


def test_the_head_is_what_is_taken_next() -> None:
    """Looking does not change whose turn it is."""
    robin = RoundRobin[str](1)
    for session in "abc":
        robin.put(session, session)
        robin.charge(session, 1)
    while (head := robin.head()) is not None:
        assert robin.head() == head
        assert robin.take() == (head, head)


@given(st.lists(COSTS, min_size=2, max_size=5))
def test_every_session_costs_the_same_in_the_long_run(costs: list[list[int]]) -> None:
    """While all have something in line, none gets ahead of another by more than a quantum and its dearest item."""
    quantum = 20
    robin = RoundRobin[int](quantum)
    for number, line in enumerate(costs):
        for cost in line:
            robin.put(str(number), cost)
    spent = Counter({str(number): 0 for number in range(len(costs))})
    left = {str(number): len(line) for number, line in enumerate(costs)}
    while all(left.values()):
        found = robin.take()
        assert found is not None
        session, cost = found
        robin.charge(session, cost)
        spent[session] += cost
        left[session] -= 1
        assert max(spent.values()) - min(spent.values()) <= 2 * (quantum + 50)


def test_a_newcomer_goes_before_a_flood() -> None:
    """One that has asked for little does not wait for the round to come to it."""
    robin = RoundRobin[str](10)
    for number in range(100):
        robin.put("flood", str(number))
    for _ in range(3):
        robin.take()
        robin.charge("flood", 30)
    robin.put("quiet", "hello")
    assert robin.take() == ("quiet", "hello")


def test_a_newcomer_cannot_always_go_first() -> None:
    """When its credit is used up it waits for its place in the round, and the others are served."""
    robin = RoundRobin[str](10)
    served = Counter[str]()
    for number in range(1000):
        robin.put("flood", str(number))
        robin.put("eager", str(number))
        found = robin.take()
        assert found is not None
        robin.charge(found[0], 10)
        served[found[0]] += 1
    assert abs(served["flood"] - served["eager"]) <= 2


def test_what_nobody_else_wanted_is_not_held_against_a_session() -> None:
    """One that was alone for long gets its share as soon as another comes, not when that one has had as much."""
    robin = RoundRobin[int](10)
    for _ in range(100_000):
        robin.charge("old", 10)
    served = Counter[str]()
    for number in range(1000):
        robin.put("old", number)
        robin.put("new", number)
        found = robin.take()
        assert found is not None
        robin.charge(found[0], 10)
        served[found[0]] += 1
    assert served["old"] > 400


def test_an_item_that_nobody_wants_any_more() -> None:
    """It leaves its line, and the line goes when it was the last; what is not there is ignored."""
    robin = RoundRobin[str](1)
    robin.put("a", "one")
    robin.put("a", "two")
    robin.drop("a", "one")
    robin.drop("b", "one")
    assert robin.take() == ("a", "two")
    robin.put("a", "three")
    robin.drop("a", "three")
    assert robin.take() is None


@pytest.mark.parametrize(("mine", "theirs", "expected"), [(1, 0, False), (0, 1, True), (1, 1, True), (0, 0, False)])
def test_whether_others_wait(mine: int, theirs: int, expected: bool) -> None:
    """Other sessions than one's own."""
    robin = RoundRobin[int](1)
    for session, count in (("mine", mine), ("theirs", theirs)):
        for number in range(count):
            robin.put(session, number)
    assert robin.others_than("mine") is expected


def test_accounts_of_sessions_that_went_are_forgotten() -> None:
    """The memory of a worker does not grow with the sessions that it has seen."""
    robin = RoundRobin[int](1)
    for number in range(5000):
        robin.put(str(number), number)
        robin.take()
        robin.charge(str(number), 1)
    assert len(robin._credit) <= 1100


def test_who_was_away_is_given_back_what_it_has_used() -> None:
    """By the rounds that others had meanwhile, and no more than what a new one has; without a round nothing."""
    robin = RoundRobin[str](10)
    for number in range(100):
        robin.put("flood", str(number))
    for cost in (8, 30):
        robin.charge("quiet", cost)
        assert robin.credit("quiet") == 10 - cost
        for _ in range(9):
            assert robin.take() is not None
            robin.charge("flood", 11)
        assert robin.credit("quiet") == 10
    robin.charge("quiet", 25)
    robin.put("quiet", "hello")
    assert robin.credit("quiet") == -15
    while robin.take() != ("quiet", "hello"):
        robin.charge("flood", 11)
    assert robin.credit("quiet") == 5


def test_who_comes_back_after_rounds_of_others_goes_first() -> None:
    """Also where nobody has asked what it may cost in the meantime."""
    robin = RoundRobin[str](1)
    robin.put("quiet", "first")
    assert robin.take() == ("quiet", "first")
    robin.charge("quiet", 1)
    for number in range(10):
        robin.put("flood", str(number))
    for _ in range(4):
        robin.take()
        robin.charge("flood", 1)
    robin.put("quiet", "second")
    assert robin.take() == ("quiet", "second")
