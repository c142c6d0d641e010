"""One lock for threads and tasks: who waits for whom."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event, Thread

import pytest

from lion_broker.core.node import Node
from lion_broker.core.pile import Pile


@pytest.mark.anyio
async def test_a_task_may_enter_again() -> None:
    """Inside the hold, the same task uses plain verbs, async verbs, and the hold itself again."""
    pile = Pile[Node]()
    async with pile, pile:
        pile.include(Node())
        await pile.ainclude(Node())
        async with pile:
            pile.append(Node())
        assert len(pile) == 3
    await pile.aclear()
    assert not pile


@pytest.mark.anyio
async def test_other_tasks_wait() -> None:
    """A second task enters when the first has left, not at an await of the first."""
    pile, story = Pile[Node](), list[str]()

    async def second() -> None:
        story.append("second asks")
        async with pile:
            story.append("second is in")

    async with pile:
        other = asyncio.create_task(second())
        for _ in range(5):
            await asyncio.sleep(0)
        story.append("first leaves")
    await other
    assert story == ["second asks", "first leaves", "second is in"]


@pytest.mark.anyio
async def test_a_waiting_task_can_be_cancelled() -> None:
    """A task that is cancelled while it waits leaves the way free for the next one."""
    pile = Pile[Node]()
    async with pile:
        impatient = asyncio.create_task(pile.ainclude(Node()))
        patient = asyncio.create_task(pile.ainclude(Node()))
        await asyncio.sleep(0)
        impatient.cancel()
        await asyncio.sleep(0)
    await patient
    assert impatient.cancelled()
    assert len(pile) == 1


@pytest.mark.anyio
async def test_plain_verbs_do_not_stop_the_loop() -> None:
    """A plain verb of another task of the same loop goes through: waiting would stop the holder."""
    pile = Pile[Node]()

    async def other() -> None:
        pile.include(Node())

    async with pile:
        await asyncio.create_task(other())
    assert len(pile) == 1


@pytest.mark.anyio
async def test_other_threads_wait() -> None:
    """A thread of its own waits with a plain verb until the task has left."""
    pile, asks, done = Pile[Node](), Event(), Event()

    def work() -> None:
        asks.set()
        pile.include(Node())
        done.set()

    thread = Thread(target=work)
    async with pile:
        thread.start()
        await asyncio.to_thread(asks.wait)
        assert not await asyncio.to_thread(done.wait, 0.05)
        assert not pile
    await asyncio.to_thread(thread.join)
    assert len(pile) == 1


@pytest.mark.anyio
async def test_a_thread_of_the_holder_does_not_wait() -> None:
    """The holder may await work in a thread that uses the pile, and no deadlock comes of it."""
    pile = Pile[Node]()
    async with pile:
        await asyncio.wait_for(asyncio.to_thread(pile.include, Node()), 10)
    assert len(pile) == 1


def test_tasks_of_two_loops_wait_for_each_other() -> None:
    """Holds of two event loops in two threads do not overlap."""
    pile, inside, overlaps, barrier = Pile[Node](), list[int](), list[int](), Barrier(2)

    async def hold() -> None:
        for _ in range(20):
            async with pile:
                inside.append(1)
                overlaps.append(len(inside))
                await asyncio.sleep(0)
                inside.pop()

    def loop() -> None:
        barrier.wait()
        asyncio.run(hold())

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda _: loop(), range(2)))
    assert overlaps == [1] * 40


def test_verbs_are_atomic_for_threads() -> None:
    """Items and order stay together when threads include, exclude and walk at the same time."""
    pile, nodes = Pile[Node](), [Node() for _ in range(200)]

    def work(part: int) -> None:
        for node in nodes[part::4]:
            pile.include(node)
            assert list(pile)
            pile.exclude(node)
            pile.insert(0, node)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(4)))
    assert {item.id for item in pile} == {node.id for node in nodes}
    assert len(pile.keys()) == 200


def test_two_piles_in_each_others_verbs() -> None:
    """Threads that put two piles into each other do not wait for each other for ever."""
    left, right = Pile[Node]([Node() for _ in range(20)]), Pile[Node]([Node() for _ in range(20)])

    def into(pair: tuple[Pile[Node], Pile[Node]]) -> None:
        for _ in range(50):
            pair[0].include(pair[1])

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(into, [(left, right), (right, left)]))
    assert (left - right).is_empty()
    assert len(left) == len(right) == 40


def test_holding_in_a_thread() -> None:
    """`with pile` keeps other threads out of several verbs in a row."""
    pile, asks = Pile[Node](), Event()

    def work() -> None:
        asks.set()
        pile.include(Node())

    thread = Thread(target=work)
    with pile:
        thread.start()
        asks.wait()
        pile.include(Node())
        assert len(pile) == 1
    thread.join()
    assert len(pile) == 2


def test_the_hold_needs_a_task() -> None:
    """Outside of an asyncio task the hold says so."""
    entering = Pile[Node]().__aenter__()
    with pytest.raises(RuntimeError):
        entering.send(None)


@pytest.mark.anyio
async def test_async_twins_do_what_the_plain_verbs_do() -> None:
    """Each verb with an `a` in front has the result of the one without."""
    a, b, c = Node(), Node(), Node()
    pile = Pile[Node]()
    await pile.ainclude([a, b])
    await pile.aupdate(c)
    assert await pile.aget(a) is a
    assert await pile.aget("nobody", None) is None
    assert await pile.apop(0) is a
    await pile.asetitem(0, a)
    assert [item async for item in pile] == [a, c]
    await pile.aremove(a)
    await pile.aexclude([b, c])
    assert not pile
