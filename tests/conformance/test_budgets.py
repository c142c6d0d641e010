"""Budgets of requests and tokens that several processes share."""

from __future__ import annotations

from uuid import uuid4

import anyio
import pytest

from lion_broker.errors import ConfigError
from lion_broker.mail.exchange import Exchange
from lion_broker.mail.verbs import Reserve, Settle
from lion_broker.models.imodel import iModel
from lion_broker.models.limits import RateLimitedProcessor
from lion_broker.models.shared import SharedBudget, share_limits

HOUR = 3_600_000


@pytest.fixture
def name() -> str:
    """A budget of the test's own."""
    return f"budget:{uuid4().hex}"


def reserve(exchange: Exchange, name: str, requests: int, tokens: int, **limits: int) -> int:
    """Ask for a part of ten requests and a hundred tokens an hour."""
    given = {"limit_requests": 10, "limit_tokens": 100, "interval_ms": HOUR, **limits}
    return exchange.call(Reserve(name, requests, tokens, **given))


def settle(exchange: Exchange, name: str, requests: int, tokens: int) -> None:
    """Account for more, or for less."""
    exchange.call(Settle(name, requests, tokens, 10, 100, HOUR))


def test_it_is_full_at_first_and_gives_both_or_neither(exchange: Exchange, name: str) -> None:
    """What is there is given at once; then the answer says how long it takes to fill so far."""
    assert [reserve(exchange, name, 1, 40), reserve(exchange, name, 1, 40)] == [0, 0]
    wait = reserve(exchange, name, 1, 40)
    assert 0 < wait <= HOUR * 20 // 100 + 1
    assert reserve(exchange, name, 8, 20) == 0
    assert 0 < reserve(exchange, name, 1, 0) <= HOUR // 10 + 1
    assert reserve(exchange, name, 0, 0) == 0


def test_what_was_not_used_comes_back(exchange: Exchange, name: str) -> None:
    """A refund is there at once, but never fills beyond the limit; an overdraft is waited for."""
    assert reserve(exchange, name, 10, 100) == 0
    settle(exchange, name, 0, -60)
    settle(exchange, name, -1, 0)
    assert reserve(exchange, name, 1, 60) == 0
    settle(exchange, name, -500, -500)
    assert reserve(exchange, name, 10, 100) == 0
    settle(exchange, name, 0, 50)
    wait = reserve(exchange, name, 0, 50)
    assert HOUR * 90 // 100 < wait <= HOUR + 1


def test_it_fills_with_time(exchange: Exchange, name: str) -> None:
    """After the time that the answer named there is enough."""
    short = {"limit_requests": 2, "interval_ms": 60, "limit_tokens": -1}
    assert reserve(exchange, name, 2, 10**6, **short) == 0
    assert 0 < reserve(exchange, name, 1, 0, **short) <= 31
    while reserve(exchange, name, 1, 0, **short):
        pass


def test_no_limit_is_no_limit(exchange: Exchange, name: str) -> None:
    """Of what has no limit any amount is given; budgets of other names are others."""
    assert reserve(exchange, name, 10, 10**9, limit_tokens=-1) == 0
    assert reserve(exchange, f"{name}:other", 10, 100) == 0


@pytest.mark.parametrize(
    "verb",
    [
        Reserve("", 1, 1),
        Reserve("b", -1, 1),
        Reserve("b", 1, -1),
        Reserve("b", 1, 1, limit_tokens=-2),
        Reserve("b", 1, 1, interval_ms=0),
        Settle("a b", 1, 1),
    ],
)
def test_senseless_questions_are_refused(exchange: Exchange, verb: Reserve | Settle) -> None:
    """They say what is wrong before anything is asked."""
    with pytest.raises(ConfigError):
        exchange.call(verb)


@pytest.mark.anyio
async def test_two_processes_share_it(exchange: Exchange, name: str) -> None:
    """What one has taken the other waits for; what one gives back the other gets."""
    mine, yours = (SharedBudget(exchange, name, limit_requests=10, limit_tokens=100, interval=3600) for _ in "ab")
    assert await mine.reserve(1, 70) == 0
    assert await yours.reserve(1, 70) > 0
    await mine.settle(-60)
    assert await yours.reserve(1, 70) == 0
    async with RateLimitedProcessor(budget=SharedBudget(exchange, f"{name}:calls", limit_tokens=10)).permit(
        5
    ) as permit:
        permit.used(1)
    assert await SharedBudget(exchange, f"{name}:calls", limit_tokens=10).reserve(0, 9) == 0
    await exchange.aclose()


@pytest.mark.anyio
async def test_models_of_one_name_and_limit_share(exchange: Exchange) -> None:
    """Two models alike have one budget, also when they are shared twice; others, and those without limits, do not."""
    unique = f"m{uuid4().hex}"
    one, two, other = (iModel("offline", unique, limit_tokens=n, interval=3600) for n in (100, 100, 200))
    free = iModel("offline", unique)
    for model in (one, two, other, free, one):
        share_limits(model, exchange)
    assert free.processor is None
    assert one.processor is not None
    assert two.processor is not None
    assert other.processor is not None
    assert await one.processor.budget.reserve(0, 80) == 0
    assert await two.processor.budget.reserve(0, 80) > 0
    assert await other.processor.budget.reserve(0, 80) == 0
    await exchange.aclose()
    await anyio.lowlevel.checkpoint()
