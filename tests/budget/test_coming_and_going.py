"""Sessions that come and go leave nothing behind, in worker and client: objects are counted, no clock is read."""

import functools
import gc
import logging
import sys
from collections.abc import Iterator
from typing import Any

import anyio
import pytest

from lion_broker import Registry, Session
from lion_broker.broker import signing
from lion_broker.broker.exchange import RedisExchange
from lion_broker.worker import loading, schedule, warm, workplace
from tests.benchmarks import soak_desk
from tests.conftest import RunningWorker

pytestmark = pytest.mark.anyio

SESSIONS = 12
OF_TIMERS = frozenset({"Context", "TimerHandle", "hamt", "hamt_bitmap_node", "hamt_collision_node"})
BY_CHANCE = 5
KEPT = 4
"""What a worker keeps of sessions and branches in this test, so that it has as much of them from the beginning."""


def caches() -> Iterator[tuple[str, Any]]:
    """The caches of functions, by name."""
    for name, module in sorted(sys.modules.items()):
        if name.partition(".")[0] == "lion_broker":
            for key, value in vars(module).items():
                if isinstance(value, functools._lru_cache_wrapper) and value.__module__ == name:
                    yield f"{name}.{key}", value


@pytest.fixture(autouse=True)
def little_is_kept(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A worker that keeps few branches and sessions, and none that was not at work a moment ago; pytest no records."""
    caplog.set_level(logging.CRITICAL, "lion_broker")
    monkeypatch.setattr(schedule, "_SHARED_SECONDS", 0.0)
    monkeypatch.setattr(loading, "_SESSIONS_KNOWN", KEPT)
    monkeypatch.setattr(workplace, "BRANCHES", KEPT)
    monkeypatch.setattr(signing, "_SESSIONS_KEPT", KEPT)
    monkeypatch.setattr(warm.WarmBranches.__init__, "__defaults__", (KEPT, warm.MESSAGES))


@pytest.fixture
def registry() -> Registry:
    """Behaviours that answer and fail, as in the benchmark SOAK."""
    return soak_desk.registry


async def life_of_a_session(exchange: RedisExchange) -> None:
    """All that a session does, as in the benchmark SOAK, from its beginning to its end."""
    session = Session(exchange=exchange, delivery="auto")
    written = await session.anew_branch(pool="p", system="Be brief.")
    asked = await session.anew_branch(pool="p", imodel="offline/extractive")
    others = [await session.anew_branch(pool="p", behaviour=name) for name in ("answer", "fail")]
    for _ in range(2):
        async with session.batch():
            for branch in [written] * 5 + others:
                await session.default_branch.asend(branch, "message", "hello")
        await asked.communicate("What is a lion?", context=["A lion is a large cat."], clear_messages=True)
        passing = await session.anew_branch(pool="p", name="passing")
        await session.default_branch.asend(passing, "message", "hello")
        await session.await_idle()
        await session.acollect()
        await session.aremove_branch(passing, delete=True)
    session.to_df()
    await session.aretry_dead_letters()
    await session.await_idle()
    session.delete()


def objects() -> int:
    """How many objects there are that the collector looks at, without those that caches of functions keep.

    Nor timers that were stopped: an event loop lets go of many of them at once.
    """
    for _, cache in caches():
        cache.cache_clear()
    gc.collect()
    return sum(type(one).__name__ not in OF_TIMERS for one in gc.get_objects())


async def test_sessions_leave_no_objects(
    exchange: RedisExchange, registry: Registry, running_worker: RunningWorker
) -> None:
    """No more than what comes by chance, where a branch is a hundred; the worker runs in this process."""
    counted = []
    async with running_worker(registry, exchange, pool="p", lease=3600.0):
        for _ in range(5):
            async with anyio.create_task_group() as lives:
                for _ in range(SESSIONS):
                    lives.start_soon(life_of_a_session, exchange)
            counted.append(objects())
    # The first ones meet what is made once.
    assert counted[-1] - counted[1] < 3 * SESSIONS * BY_CHANCE, counted


def test_caches_of_functions_are_small() -> None:
    """Each is full after a while, and then of ids of sessions and branches that are no more: that has to be little."""
    sizes = {name: cache.cache_parameters()["maxsize"] for name, cache in caches()}
    assert {name: size for name, size in sizes.items() if size is not None and size > 1024} == {}
