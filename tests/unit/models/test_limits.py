"""How calls wait for a budget, with a clock that only the test moves."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lion_broker import ConfigError, ModelRateLimited, RateLimitedProcessor, iModel
from lion_broker.models.limits import LocalBudget
from lion_broker.testing import ScriptedModel, await_until

pytestmark = pytest.mark.anyio

USER = {"role": "user", "content": "Hello world"}


class Clock:
    """Time that passes when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


@pytest.fixture
def clock() -> Clock:
    """A clock at 0."""
    return Clock()


def processor(clock: Clock, **limits: Any) -> RateLimitedProcessor:
    """A processor with a clock of the test."""
    return RateLimitedProcessor(**limits, sleep=clock.sleep, clock=clock)


async def test_calls_wait_for_their_turn(clock: Clock) -> None:
    """In the order in which they came, a big one before the small ones behind it."""
    limited = processor(clock, limit_tokens=100, interval=10.0)
    done: list[tuple[str, float]] = []

    async def call(name: str, tokens: int) -> None:
        async with limited.permit(tokens):
            done.append((name, round(clock.now, 2)))

    await asyncio.gather(call("a", 100), call("big", 90), call("small", 1), call("last", 9))
    assert done == [("a", 0.0), ("big", 9.0), ("small", 9.1), ("last", 10.0)]
    assert limited.waiting == 0


async def test_what_a_call_took_is_settled(clock: Clock) -> None:
    """What it did not take is there for the next; without word of it the reservation counts."""
    limited = processor(clock, limit_tokens=100)
    async with limited.permit(100) as permit:
        permit.used(40)
    async with limited.permit(60):
        pass
    assert clock.slept == []
    async with limited.permit(1):
        pass
    assert clock.slept == [0.6]


async def test_a_failed_call_gives_its_tokens_back(clock: Clock) -> None:
    """But not its request, which the server has counted."""
    limited = processor(clock, limit_requests=2, limit_tokens=100)
    with pytest.raises(ZeroDivisionError):
        async with limited.permit(100):
            raise ZeroDivisionError
    async with limited.permit(100):
        assert clock.slept == []
    assert await limited.budget.reserve(1, 0) == 30_000


async def test_who_is_cancelled_has_taken_nothing() -> None:
    """Nor does it keep the next one from its turn."""
    limited = RateLimitedProcessor(limit_tokens=100, interval=1e6)
    async with limited.permit(50):
        waiting = [asyncio.create_task(_enter(limited, 100)) for _ in range(3)]
        await await_until(lambda: limited.waiting == 3)
        for task in waiting:
            task.cancel()
        assert all(
            isinstance(one, asyncio.CancelledError) for one in await asyncio.gather(*waiting, return_exceptions=True)
        )
        assert limited.waiting == 0
        await asyncio.wait_for(_enter(limited, 50), 5)


async def _enter(limited: RateLimitedProcessor, tokens: int) -> None:
    async with limited.permit(tokens):
        pass


async def test_a_wait_beyond_the_deadline_is_an_error(clock: Clock) -> None:
    """At once: nobody waits for what is known to be too late."""
    limited = processor(clock, limit_requests=1, interval=60.0)
    await _enter(limited, 0)
    with pytest.raises(ModelRateLimited, match="in 60 s at the earliest"):
        async with limited.permit(timeout=59):
            pass
    assert clock.slept == []
    async with limited.permit(timeout=61):
        assert clock.slept == [60.0]


async def test_what_can_never_fit_is_an_error(clock: Clock) -> None:
    """A prompt above the limit; an answer that may become as long is let through with what there is."""
    limited = processor(clock, limit_tokens=100)
    with pytest.raises(ModelRateLimited, match="it would never be let through"):
        async with limited.permit(101, least=101):
            pass
    async with limited.permit(1000, least=10) as permit:
        assert permit.reserved == 100


async def test_so_many_at_once() -> None:
    """`queue_capacity` holds back the next until one has ended."""
    limited = RateLimitedProcessor(queue_capacity=2)
    under_way = most = 0

    async def call() -> None:
        nonlocal under_way, most
        async with limited.permit():
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0)
            under_way -= 1

    await asyncio.gather(*[call() for _ in range(10)])
    assert most == 2


@pytest.mark.parametrize(
    "limits", [{"limit_requests": 0}, {"limit_tokens": -1}, {"interval": 0}, {"queue_capacity": 0}]
)
async def test_limits_that_let_nothing_through(limits: dict[str, int]) -> None:
    """They are refused, by a model too."""
    with pytest.raises(ConfigError, match="above 0"):
        RateLimitedProcessor(**limits)  # type: ignore[arg-type]  # a choice
    with pytest.raises(ConfigError, match="above 0"):
        iModel("openai", "m", **limits)  # type: ignore[arg-type]  # a choice


async def test_a_model_keeps_to_its_budget(clock: Clock) -> None:
    """It reserves by the estimate, settles by the usage, and learns from the difference."""
    model = ScriptedModel("Hello.", repeat=True).imodel
    budget = LocalBudget(None, 1000, 60.0, clock)
    model.share(budget)
    reply = await model.invoke([USER], max_tokens=900)
    assert await budget.reserve(1, 1000 - reply.usage["total_tokens"]) == 0
    assert await budget.reserve(1, 1) > 0
    await budget.settle(-1000)
    chunks = [chunk async for chunk in model.stream([USER])]
    assert chunks[-1].reply is not None
    assert await budget.reserve(1, 1000 - reply.usage["total_tokens"]) == 0


async def test_a_failed_call_of_a_model_costs_no_tokens(clock: Clock) -> None:
    """An error of the server is not paid for."""
    model = ScriptedModel(TimeoutError(), repeat=True).imodel
    budget = LocalBudget(None, 1000, 60.0, clock)
    model.share(budget)
    with pytest.raises(TimeoutError):
        await model.invoke([USER])
    with pytest.raises(TimeoutError):
        async for _ in model.stream([USER]):
            pass
    assert await budget.reserve(1, 1000) == 0


async def test_limits_are_settings() -> None:
    """They travel with the model, in LionAGI's words too."""
    model = iModel("openai", "m", limit_requests=5, limit_tokens=100, queue_capacity=3, capacity_refresh_time=30)
    assert model.processor is not None
    again = iModel.from_dict(model.to_dict())
    assert again.to_dict() == model.to_dict()
    assert again.named.interval == 30
    assert iModel("openai", "m").processor is None


def test_a_processor_serves_one_loop_after_the_other(clock: Clock) -> None:
    """A model that outlives an event loop goes on in the next, with what the first has left of the budget."""
    limited = processor(clock, limit_requests=100, queue_capacity=1)

    async def several() -> None:
        await asyncio.gather(*[_enter(limited, 1) for _ in range(5)])

    for _ in range(3):
        asyncio.run(several())
    assert repr(limited) == "RateLimitedProcessor(LocalBudget(85 of 100 requests, unlimited tokens), 0 waiting)"
