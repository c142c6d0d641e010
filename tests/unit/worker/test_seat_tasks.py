"""Work side by side: what it knows, and how it is stopped."""

from contextvars import ContextVar
from functools import partial

import anyio
import pytest

from lion_broker.worker.seat_tasks import SeatTasks

pytestmark = pytest.mark.anyio

NOTE: ContextVar[str] = ContextVar("note", default="nothing")


async def test_work_is_waited_for_with_what_it_starts() -> None:
    """Also with what is started when one has ended."""
    tasks, done = SeatTasks(), list[int]()

    async def work(number: int) -> None:
        await anyio.lowlevel.checkpoint()
        done.append(number)

    tasks.start(work(1), lambda: tasks.start(work(2), lambda: done.append(3)))
    await tasks.wait()
    assert done == [1, 2, 3]


async def test_work_knows_nothing_of_who_starts_it() -> None:
    """One session's work starts another one's; what it has noted is its own."""
    NOTE.set("of the worker")
    tasks, seen = SeatTasks(), list[str]()

    async def work() -> None:
        seen.append(NOTE.get())
        NOTE.set("of one session")

    tasks.start(work(), lambda: tasks.start(work(), lambda: None))
    NOTE.set("of another session")
    await tasks.wait()
    assert seen == ["of the worker", "of the worker"]


async def test_what_has_not_begun_is_dropped_too() -> None:
    """Nothing of it runs, and still its end is told."""
    tasks, ended = SeatTasks(), list[str]()

    async def work() -> None:
        raise AssertionError("it has begun")

    for name in ("a", "b"):
        tasks.start(work(), partial(ended.append, name))
    await tasks.drop()
    assert sorted(ended) == ["a", "b"]


async def test_nothing_is_begun_while_all_is_dropped() -> None:
    """What would follow work that is dropped does not run, not even for a moment, and its end is told."""
    tasks, ended = SeatTasks(), list[str]()

    async def next_work() -> None:
        raise AssertionError("it has begun")

    def go_on() -> None:
        tasks.start(next_work(), partial(ended.append, "next"))

    tasks.start(anyio.sleep_forever(), go_on)
    await anyio.lowlevel.checkpoint()
    await tasks.drop()
    await anyio.lowlevel.checkpoint()
    assert ended == ["next"]


async def test_who_does_not_heed_is_told_again() -> None:
    """Work that has caught its cancellation does not go on for ever."""
    tasks, caught, ended = SeatTasks(), list[BaseException](), anyio.Event()

    async def stubborn() -> None:
        while len(caught) < 3:
            try:
                await anyio.sleep_forever()
            except BaseException as error:
                caught.append(error)

    tasks.start(stubborn(), ended.set)
    await anyio.lowlevel.checkpoint()
    await tasks.drop()
    assert ended.is_set()
    assert len(caught) == 3


async def test_dropping_is_not_cut_short() -> None:
    """Whoever is cancelled while it drops work waits for the end of the work all the same."""
    tasks, ended = SeatTasks(), anyio.Event()

    async def slow() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                for _ in range(10):
                    await anyio.lowlevel.checkpoint()

    tasks.start(slow(), ended.set)
    await anyio.lowlevel.checkpoint()
    with anyio.CancelScope() as scope:
        scope.cancel()
        await tasks.drop()
    assert ended.is_set()
