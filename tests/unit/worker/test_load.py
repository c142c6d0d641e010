"""Which branches a worker that has more to do than it can hands back, and how many at a time."""

import anyio
import pytest

from lion_broker.worker.load import Load

pytestmark = pytest.mark.anyio


class Clock:
    """Seconds that go on when they are told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock that stands."""
    return Clock()


@pytest.fixture
def load(clock: Clock) -> Load:
    """That of a worker which has just begun."""
    return Load(clock)


def test_a_worker_that_keeps_up_keeps_its_branches(load: Load) -> None:
    """However many it has, and however long it has had them."""
    assert not load.behind
    assert not load.leaves(0.0, 1000)
    load.note(0.009)
    assert not load.leaves(0.0, 1000)


def test_of_those_at_work_half_are_handed_back_in_a_second(load: Load) -> None:
    """Between two looks as many as that time is worth; at least one, or few branches would stay for ever."""
    for late, active, count in ((0.02, 100, 6), (0.1, 100, 10), (0.4, 60, 15), (0.02, 3, 1)):
        load.note(late)
        assert load.behind
        assert [load.leaves(0.0, active) for _ in range(count + 1)] == [True] * count + [False]


def test_a_branch_is_kept_for_a_while(load: Load, clock: Clock) -> None:
    """Whoever takes it has to read it."""
    load.note(0.1)
    begun = clock.now
    clock.now += 0.4
    assert not load.leaves(begun, 10)
    clock.now += 0.2
    assert load.leaves(begun, 10)


async def test_an_event_loop_that_stands_is_late_without_a_look(load: Load, clock: Clock) -> None:
    """Other threads see it while it lasts: no timer fires meanwhile."""
    assert load.late_now == 0.0
    async with anyio.create_task_group() as group:
        group.start_soon(load.watch)
        await anyio.lowlevel.checkpoint()
        clock.now += 30.1
        assert load.late_now == pytest.approx(30.0)
        assert load.late == 0.0
        group.cancel_scope.cancel()


def test_the_only_branch_stays(load: Load) -> None:
    """Nobody could do more for it."""
    load.note(1.0)
    assert not load.leaves(0.0, 1)


def test_who_has_caught_up_keeps_them_again(load: Load) -> None:
    """From the next look on."""
    load.note(0.1)
    assert load.leaves(0.0, 10)
    load.note(0.0)
    assert not load.behind
    assert not load.leaves(0.0, 10)
