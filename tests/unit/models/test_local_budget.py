"""What every Budget promises, whoever keeps it.

A further implementation joins by a class with the two methods of `LocalKeeper`, named in `KEEPERS`.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

import pytest

from lion_broker.models.limits import Budget, LocalBudget

pytestmark = pytest.mark.anyio


class Keeper(Protocol):
    """Makes budgets, and lets time pass for them."""

    def budget(self, requests: int | None = None, tokens: int | None = None, interval: float = 60.0) -> Budget:
        """Return a new budget, which is full."""

    def pass_time(self, seconds: float) -> None:
        """Let so much time pass for the budgets that were made here."""


class LocalKeeper:
    """Keeps budgets in this process, with a clock of its own."""

    def __init__(self) -> None:
        self.now = 1000.0

    def budget(self, requests: int | None = None, tokens: int | None = None, interval: float = 60.0) -> Budget:
        return LocalBudget(requests, tokens, interval, lambda: self.now)

    def pass_time(self, seconds: float) -> None:
        self.now += seconds


KEEPERS = [LocalKeeper]


@pytest.fixture(params=KEEPERS)
def keeper(request: pytest.FixtureRequest) -> Keeper:
    """Whoever keeps the budgets."""
    made: Keeper = request.param()
    return made


async def test_without_limits_everything_is_granted(keeper: Keeper) -> None:
    """At once, and however much."""
    budget = keeper.budget()
    assert [await budget.reserve(1, 10**9) for _ in range(100)] == [0] * 100


async def test_requests_are_limited(keeper: Keeper) -> None:
    """A full budget is given away at once, and then comes back steadily."""
    budget = keeper.budget(requests=6)
    assert [await budget.reserve(1, 0) for _ in range(6)] == [0] * 6
    assert await budget.reserve(1, 0) == 10_000
    keeper.pass_time(4)
    assert await budget.reserve(1, 0) == 6_000
    keeper.pass_time(6)
    assert await budget.reserve(1, 0) == 0
    assert await budget.reserve(1, 0) == 10_000


async def test_tokens_are_limited(keeper: Keeper) -> None:
    """By their number, not by that of the requests."""
    budget = keeper.budget(tokens=600)
    assert (await budget.reserve(1, 600), await budget.reserve(5, 0)) == (0, 0)
    assert await budget.reserve(1, 100) == 10_000
    keeper.pass_time(10)
    assert (await budget.reserve(1, 100), await budget.reserve(1, 1)) == (0, 100)


async def test_both_are_taken_or_none(keeper: Keeper) -> None:
    """What is refused for its tokens has taken no request."""
    budget = keeper.budget(requests=2, tokens=100)
    assert await budget.reserve(1, 100) == 0
    assert await budget.reserve(1, 100) == 60_000
    assert await budget.reserve(1, 0) == 0
    assert await budget.reserve(1, 0) == 30_000


async def test_it_never_holds_more_than_its_limit(keeper: Keeper) -> None:
    """However long nobody has asked, and whatever is given back."""
    budget = keeper.budget(requests=2, tokens=100)
    keeper.pass_time(10_000)
    await budget.settle(-1000, -1000)
    assert [await budget.reserve(1, 50) for _ in range(2)] == [0, 0]
    assert await budget.reserve(1, 50) > 0


async def test_what_was_not_used_is_given_back(keeper: Keeper) -> None:
    """After the call it is there for the next."""
    budget = keeper.budget(tokens=100)
    assert await budget.reserve(1, 100) == 0
    await budget.settle(-60)
    assert await budget.reserve(1, 60) == 0
    assert await budget.reserve(1, 1) == 600


async def test_what_was_used_beyond_is_waited_for(keeper: Keeper) -> None:
    """A debt is paid by time."""
    budget = keeper.budget(tokens=100, interval=10.0)
    assert await budget.reserve(1, 100) == 0
    await budget.settle(100)
    assert await budget.reserve(1, 10) == 11_000
    keeper.pass_time(11)
    assert await budget.reserve(1, 10) == 0


async def test_waiting_as_long_as_told_is_enough(keeper: Keeper) -> None:
    """Whoever asks alone and waits is granted what it asked for."""
    budget = keeper.budget(requests=7, tokens=999, interval=13.0)
    for tokens in (999, 1, 333, 998, 5, 0, 777):
        wait = await budget.reserve(1, tokens)
        keeper.pass_time(wait / 1000)
        assert wait == 0 or await budget.reserve(1, tokens) == 0


async def test_many_at_once_get_no_more_than_there_is(keeper: Keeper) -> None:
    """Exactly as many are let through as the budget holds."""
    budget = keeper.budget(requests=30, tokens=1000)
    waits = await asyncio.gather(*[budget.reserve(1, 50) for _ in range(100)])
    assert waits.count(0) == 20
