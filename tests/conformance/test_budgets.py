"""Budgets of requests and tokens that several processes share."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import anyio
import pytest

from lion_broker.broker.exchange import RedisExchange
from lion_broker.broker.keys import Keys
from lion_broker.errors import ConfigError
from lion_broker.mail.deployment import BudgetRecord
from lion_broker.mail.exchange import Exchange
from lion_broker.mail.verbs import ReadBudgets, Reserve, Settle
from lion_broker.models.imodel import iModel
from lion_broker.models.limits import RateLimitedProcessor
from lion_broker.models.shared import SharedBudget, share_limits
from tests.conformance.servers import SECRET, Server

HOUR = 3_600_000


@pytest.fixture
def name() -> str:
    """A budget of the test's own."""
    return f"budget:{uuid4().hex}"


def reserve(exchange: Exchange, name: str, requests: int, tokens: int, **limits: int) -> int:
    """Ask for a part of ten requests and a hundred tokens an hour."""
    given: dict[str, Any] = {"limit_requests": 10, "limit_tokens": 100, "interval_ms": HOUR, **limits}
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


def seen(exchange: Exchange, name: str) -> BudgetRecord | None:
    """How a budget stands."""
    return next((one for one in exchange.call(ReadBudgets()) if one.budget == name), None)


def test_how_it_stands_is_read(exchange: Exchange, name: str) -> None:
    """Its limits, what is left of them and its title; reading takes nothing, and a settlement shows."""
    assert seen(exchange, name) is None
    exchange.call(Reserve(name, 3, 2**53 - 1, 10, 2**53, HOUR, title="far/away"))
    found = seen(exchange, name)
    assert found is not None
    assert (found.title, found.limit_requests, found.limit_tokens) == ("far/away", 10, 2**53)
    assert (found.interval_ms, found.waits) == (HOUR, ())
    assert found.requests is not None
    assert 7 <= found.requests < 7.5
    exchange.call(Settle(name, 4, 0, 10, -1, HOUR))
    found = seen(exchange, name)
    assert found is not None
    assert (found.title, found.limit_tokens, found.tokens) == ("far/away", None, None)
    assert found.requests is not None
    assert 3 <= found.requests < 3.5
    assert found.idle_ms < HOUR


def test_who_waits_is_read(exchange: Exchange, name: str) -> None:
    """With how many calls, and for how long; no more once it was let through."""
    limits: dict[str, Any] = {"limit_requests": 2, "limit_tokens": -1, "interval_ms": HOUR}
    assert exchange.call(Reserve(name, 2, 0, **limits)) == 0
    first = exchange.call(Reserve(name, 1, 0, **limits, who="ada\nsession\nbranch", calls=3))
    second = exchange.call(Reserve(name, 2, 0, **limits, who="ben"))
    assert 0 < first < second
    found = seen(exchange, name)
    assert found is not None
    assert [(one.who, one.calls) for one in found.waits] == [("ada\nsession\nbranch", 3), ("ben", 1)]
    assert first - HOUR // 10 < found.waits[0].wait_ms <= first
    exchange.call(Settle(name, -1, 0, **limits))
    assert exchange.call(Reserve(name, 1, 0, **limits, who="ada\nsession\nbranch")) == 0
    found = seen(exchange, name)
    assert found is not None
    assert [one.who for one in found.waits] == ["ben"]


def test_what_was_never_there_is_waited_for(exchange: Exchange, name: str) -> None:
    """Whoever asks a full budget for more than there can be is seen to wait, and the budget has its limits."""
    assert exchange.call(Reserve(name, 5, 0, 2, -1, HOUR, who="ada")) > 0
    found = seen(exchange, name)
    assert found is not None
    assert (found.requests, [one.who for one in found.waits]) == (2, ["ada"])


def test_many_wait_and_many_budgets_are_read(exchange: Exchange, name: str) -> None:
    """No more than two hundred are told; a page of budgets begins with the one that was used last."""
    exchange.call(Reserve(name, 1, 0, 1, -1, HOUR))
    exchange.call_all([Reserve(name, 1, 0, 1, -1, HOUR, who=f"w{number}") for number in range(210)])
    found = seen(exchange, name)
    assert found is not None
    assert len(found.waits) == 200
    for number in range(3):
        reserve(exchange, f"{name}:{number}", 1, 1)
    assert [one.budget for one in exchange.call(ReadBudgets(2))] == [f"{name}:2", f"{name}:1"]


@pytest.mark.parametrize(
    "verb",
    [
        Reserve("", 1, 1),
        Reserve("b", -1, 1),
        Reserve("b", 1, -1),
        Reserve("b", 1, 1, limit_tokens=-2),
        Reserve("b", 1, 1, interval_ms=0),
        Reserve("b", 1, 1, calls=0),
        Reserve("b", 1, 1, who="x" * 1001),
        Settle("a b", 1, 1),
        ReadBudgets(0),
    ],
)
def test_senseless_questions_are_refused(exchange: Exchange, verb: Reserve | Settle | ReadBudgets) -> None:
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


def test_strangers_among_the_keys_do_no_harm(valkey_server: Server, name: str) -> None:
    """A list of limits that is none stops no call; who asks no more, and what nobody can read, is left out and goes."""
    keys, client = Keys("limits"), valkey_server.client
    limits: dict[str, Any] = {"limit_requests": 1, "interval_ms": HOUR}
    with RedisExchange(valkey_server.url, SECRET, namespace="limits") as exchange:
        client.set(keys.limits(), "no list")
        assert exchange.call(Reserve(name, 1, 0, **limits)) == 0
        assert exchange.call(ReadBudgets()) == ()
        client.delete(keys.limits())
        budget = keys.limit(name)
        client.hset(budget, mapping={"wait:gone": "1 1", "wait:odd": "soon", "odd": "x"})
        assert exchange.call(Reserve(name, 1, 0, **limits, who="ada")) > 0
        found = seen(exchange, name)
        assert found is not None
        assert [one.who for one in found.waits] == ["ada"]
        assert not client.hexists(budget, "wait:gone")
        assert not client.hexists(budget, "wait:odd")
        client.hset(budget, "limits", "1 x 0")
        client.zadd(keys.limits(), {"nobody": 9e15})
        assert exchange.call(ReadBudgets()) == ()
        assert client.pttl(budget) > HOUR
        assert client.pttl(keys.limits()) > HOUR
    valkey_server.empty()
