"""Who is woken of the tasks that wait for one of them to ask."""

import asyncio

import pytest

from lion_broker import BrokerUnavailable, LionError
from lion_broker.core.single_flight import SingleFlight

pytestmark = pytest.mark.anyio

NAMES = ["a", "b", "c"]


async def waiting(flight: SingleFlight) -> dict[str, asyncio.Task[LionError | None]]:
    """Tasks that wait for a part each, while somebody asks."""
    flight.asks = True
    tasks = {name: asyncio.ensure_future(flight.wait(name)) for name in NAMES}
    await asyncio.sleep(0)
    return tasks


async def woken(tasks: dict[str, asyncio.Task[LionError | None]]) -> list[str]:
    """Those that have been woken by now."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return [name for name, task in tasks.items() if task.done()]


async def test_a_part_that_has_come_wakes_who_waits_for_it() -> None:
    """Nobody else; and a part that nobody waits for is none of its business."""
    flight = SingleFlight()
    tasks = await waiting(flight)
    for name in ("b", "b", "unknown"):
        flight.wake(name)
    assert await woken(tasks) == ["b"]
    flight.wake_first(lambda name: name != "c")
    assert await woken(tasks) == ["a", "b"]


async def test_one_more_is_woken_to_ask() -> None:
    """The one that came first, once nobody asks, and no second one before it has begun."""
    flight = SingleFlight()
    tasks = await waiting(flight)
    flight.leave()
    assert await woken(tasks) == []
    flight.asks = False
    flight.leave()
    flight.leave()
    assert await woken(tasks) == ["a"]
    flight.leave()
    assert await woken(tasks) == ["a", "b"]


async def test_one_that_is_cancelled_does_not_ask() -> None:
    """Whether it was cancelled while it waited or when it was to ask: it leaves, and then it is for the next one."""
    flight = SingleFlight()
    tasks = await waiting(flight)
    tasks["a"].cancel()
    await asyncio.sleep(0)
    flight.asks = False
    flight.leave()
    tasks["b"].cancel()
    assert await woken(tasks) == ["a", "b"]
    assert (tasks["a"].cancelled(), tasks["b"].cancelled()) == (True, True)
    flight.leave()
    assert await woken(tasks) == NAMES


async def test_an_error_is_everybodys() -> None:
    """Who waited for the answer has none either."""
    flight = SingleFlight()
    tasks = await waiting(flight)
    error = BrokerUnavailable("Nobody answers.")
    flight.fail(error)
    assert await woken(tasks) == NAMES
    assert [task.result() for task in tasks.values()] == [error] * 3
