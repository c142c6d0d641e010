"""The way of a turn: what it may hold there, when it makes room, and which of those that wait goes next."""

import anyio
import pytest

from lion_broker.mail.records import ReadyEntry
from lion_broker.worker.forecast import Forecast, Source
from lion_broker.worker.passage import Passage
from lion_broker.worker.schedule import Schedule

pytestmark = pytest.mark.anyio

BATCH = 200


@pytest.fixture
def schedule() -> Schedule:
    """A schedule with seats enough, for one session that has it for itself."""
    return Schedule(1000, BATCH, lambda ready: None, lambda: 0.0)


class Way:
    """Passages that have set out, in order; each comes back when it is told to."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self.gone: list[str] = []
        self.back: dict[str, anyio.Event] = {}

    async def go(self, name: str, commits: int | None = None) -> None:
        """Go to the server when there is room; what comes back is a large turn."""
        self.back[name] = anyio.Event()
        passage = self._schedule.passage("s", commits=commits)
        async with passage:
            self.gone.append(name)
            await self.back[name].wait()
            passage.mails = BATCH


async def test_claims_and_commits_that_wait_set_out_in_turn(schedule: Schedule) -> None:
    """Or all branches would be claimed before the first is done, and all be done before the next is claimed."""
    way = Way(schedule)
    async with anyio.create_task_group() as tasks:
        for number in range(3):
            tasks.start_soon(way.go, f"first {number}")
        await anyio.wait_all_tasks_blocked()
        for number in range(3):
            tasks.start_soon(way.go, f"claim {number}")
        await anyio.wait_all_tasks_blocked()
        for number in range(2):
            tasks.start_soon(way.go, f"commit {number}", BATCH)
        await anyio.wait_all_tasks_blocked()
        for place in range(8):
            way.back[way.gone[place]].set()
            await anyio.wait_all_tasks_blocked()
    assert way.gone[3:] == ["commit 0", "claim 0", "commit 1", "claim 1", "claim 2"]


async def test_who_is_heard_makes_room_before_the_answer_is_read(schedule: Schedule) -> None:
    """Once, and what waited has set out when whoever was heard goes on."""
    gone = 0

    async def go() -> None:
        nonlocal gone
        async with schedule.passage("s"):
            gone += 1
            await anyio.sleep_forever()

    async with anyio.create_task_group() as tasks:
        async with schedule.passage("s") as _, schedule.passage("s") as _:
            passage = schedule.passage("s")
            async with passage:
                for _ in range(3):
                    tasks.start_soon(go)
                await anyio.wait_all_tasks_blocked()
                assert gone == 0, "the way is full"
                await passage.heard()
                assert gone == 1
                await passage.heard()
                assert gone == 1
            await anyio.wait_all_tasks_blocked()
            assert gone == 1, "it has made room already"
        tasks.cancel_scope.cancel()


async def test_nobody_waits_for_others_where_nobody_is_in_line(schedule: Schedule) -> None:
    """A mail alone is read in the same pass of the event loop."""
    passes = 0

    async def count() -> None:
        nonlocal passes
        while True:
            passes += 1
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(count)
        await anyio.lowlevel.checkpoint()
        passage = schedule.passage("s")
        async with passage:
            before = passes
            await passage.heard()
            assert passes == before
        tasks.cancel_scope.cancel()


def expected_of(schedule: Schedule, commits: int | None = None) -> float:
    """How much room a passage would take."""
    passage: Passage = schedule.passage("s", commits=commits)
    return passage.expected


async def test_a_claim_takes_room_as_claims_do(schedule: Schedule) -> None:
    """Commits that bring nothing, as those of branches that are drained, say nothing about it."""
    for _ in range(10):
        for commits, mails in ((None, BATCH), (BATCH, 0)):
            passage = schedule.passage("s", commits=commits)
            async with passage:
                passage.mails = mails
    assert expected_of(schedule) == BATCH


async def test_a_commit_takes_room_for_what_it_writes(schedule: Schedule) -> None:
    """And for what it brings, whichever is more."""
    for _ in range(20):
        passage = schedule.passage("s", commits=3)
        async with passage:
            passage.mails = 0
    assert [expected_of(schedule, commits) for commits in (0, 1, 150)] == [1, 1, 150]


@pytest.mark.parametrize("source", Source)
def test_the_first_turn_of_a_session_tells_at_once(source: Source) -> None:
    """Before that the most is expected, and later turns count half; of the other sources it says nothing."""
    forecast = Forecast(100)
    assert forecast.expected("s", source) == 100
    assert forecast.learn("s", 4, source) == 4
    assert forecast.expected("s", source) == 4
    assert [forecast.expected("s", other) for other in Source if other is not source] == [100, 100]
    assert forecast.learn("s", 0, source) == 2


def test_sessions_of_long_ago_are_forgotten() -> None:
    """Those that were here most recently are known."""
    forecast = Forecast(100)
    for number in range(1025):
        forecast.learn(f"s{number}", 1, Source.CLAIM)
        forecast.learn("s0", 1, Source.CLAIM)
    found = [number for number in range(1025) if forecast.expected(f"s{number}", Source.CLAIM) == 1]
    assert len(found) == 1024
    assert 1 not in found


async def test_a_mail_that_came_with_its_mark_says_nothing_of_claims() -> None:
    """Behind a single mail in hand there may be hundreds: as few claims set out as if nothing were known."""
    schedule = Schedule(20, BATCH, lambda ready: None, lambda: 0.0)
    assert schedule.brought("s", 1)
    assert expected_of(schedule, None) == BATCH


@pytest.mark.parametrize(("writes", "brings"), [(160, 0), (0, 160)])
async def test_a_large_turn_lets_as_many_branches_be_read_as_small_ones(writes: int, brings: int) -> None:
    """Whether it had its mails before or has them now; or who is new here waits behind the turns of a whole backlog."""
    schedule = Schedule(20, BATCH, lambda ready: None, lambda: 0.0)
    for number in range(4):
        schedule.add(ReadyEntry(f"{number}-0", "s", f"b{number}"))
    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(Way(schedule).go, "claim")
        await anyio.wait_all_tasks_blocked()
        assert schedule.room == 0, "turns wait for the way"
        passage = schedule.passage("s", commits=writes)
        schedule.sets_out(passage)
        passage.mails = brings
        schedule.come_back(passage)
        assert schedule.room == 10
        tasks.cancel_scope.cancel()


async def test_who_has_few_seats_waits_for_none_that_have_too_many() -> None:
    """Beside turns that wait for the way, also where it has had its turn and the others have not."""
    started: list[str] = []
    schedule = Schedule(4, BATCH, lambda ready: started.append(ready.branch), lambda: 0.0)
    for number in range(5):
        schedule.add(ReadyEntry(f"{number}-0", "quiet", "q"))
        schedule.leave("quiet")
    for number in range(8):
        schedule.add(ReadyEntry(f"{number}-1", "crowd", f"c{number}"))
    async with anyio.create_task_group() as tasks:
        for number in range(4):
            tasks.start_soon(Way(schedule).go, f"turn {number}")
        await anyio.wait_all_tasks_blocked()
        assert started[5:] == ["c0", "c1", "c2", "c3"]
        schedule.add(ReadyEntry("9-0", "quiet", "late"))
        assert started[-1] == "late"
        tasks.cancel_scope.cancel()
