"""Seats and the way to the server: who waits, who goes next, and how much a turn may take."""

from functools import partial

import anyio
import pytest

from lion_broker.mail.records import ReadyEntry
from lion_broker.worker.schedule import Schedule

pytestmark = pytest.mark.anyio

BATCH = 200


class Office:
    """A schedule with a clock of its own, and what it has started."""

    def __init__(self, seats: int, batch: int = BATCH) -> None:
        self.now = 0.0
        self.started: list[str] = []
        self.gone: list[str] = []
        self.schedule = Schedule(seats, batch, lambda ready: self.started.append(ready.branch), lambda: self.now)
        self._number = 0

    def arrive(self, session: str, count: int = 1) -> None:
        """Branches of a session are ready."""
        for _ in range(count):
            self._number += 1
            self.schedule.add(ReadyEntry(f"{self._number}-0", session, f"{session}{self._number}"))

    async def set_out(self, session: str) -> None:
        """Go to the server when there is room, and never come back."""
        async with self.schedule.passage(session):
            self.gone.append(session)
            await anyio.sleep_forever()

    async def turn(self, session: str, mails: int, *, ends: bool = False) -> None:
        """Go to the server and come back with so many mails."""
        passage = self.schedule.passage(session, commits=mails if ends else None)
        async with passage:
            passage.mails = mails


async def test_seats_are_filled_in_turn() -> None:
    """A session that came late gets the next seat, however many of another one wait."""
    office = Office(2)
    office.arrive("a", 5)
    office.arrive("b")
    assert office.started == ["a1", "a2"]
    assert office.schedule.crowds("a")
    office.schedule.leave("a")
    assert office.started[2:] == ["b6"]
    assert not office.schedule.crowds("a")
    assert not office.schedule.crowds("b")
    office.schedule.leave("b")
    assert office.started[3:] == ["a3"]
    assert not office.schedule.crowds("a")


async def test_who_has_more_than_its_share_gives_way() -> None:
    """With one seat it goes round; with more, only a session that holds too many hands one back."""
    office = Office(1)
    office.arrive("a", 2)
    assert not office.schedule.crowds("a")
    office.arrive("b")
    assert office.schedule.crowds("a")
    office = Office(4)
    office.arrive("a", 2)
    office.arrive("b", 6)
    assert not office.schedule.crowds("b")
    office.arrive("c")
    assert [office.schedule.crowds(session) for session in "abc"] == [True, True, False]


async def test_what_a_saturated_worker_reads() -> None:
    """One ready branch for each turn that has just ended, for at that pace seats are given up; else it leaves them."""
    office = Office(10)
    office.arrive("a", 4)
    assert office.schedule.room == 6
    office.arrive("a", 6)
    assert office.schedule.room == 0
    for _ in range(3):
        await office.turn("a", 1, ends=True)
        await office.turn("a", 1)
    assert office.schedule.room == 3
    office.arrive("b")
    assert office.schedule.room == 1
    office.now = 1.0
    assert office.schedule.room == -1
    office.schedule.leave("a")
    assert office.schedule.room == 0
    office.schedule.leave("a")
    assert office.schedule.room == 1


async def test_a_worker_whose_turns_wait_is_saturated() -> None:
    """However many seats are free: what it would read now, others can serve sooner."""
    office = Office(1000)

    async def go() -> None:
        async with office.schedule.passage("a"):
            await anyio.sleep_forever()

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(go)
        await anyio.wait_all_tasks_blocked()
        assert office.schedule.room == 0
        tasks.cancel_scope.cancel()
    assert office.schedule.room == 1000


@pytest.mark.parametrize(
    ("seats", "mails", "room"),
    [(100, 200, 12), (20, 200, 10), (100, 15, 1), (100, 0, 1), (10, 200, 1)],
    ids=["large", "few free seats", "small", "drained", "no free seat"],
)
async def test_a_large_turn_lets_as_many_free_seats_be_filled_as_small_ones_would(
    seats: int, mails: int, room: int
) -> None:
    """Behind a backlog's ready branches another session's would wait for a large turn each; others keep the rest."""
    office = Office(seats)
    office.arrive("a", 10)
    async with anyio.create_task_group() as tasks:
        await office.turn("a", mails, ends=True)
        for _ in range(8):
            tasks.start_soon(office.set_out, "a")
        await anyio.wait_all_tasks_blocked()
        assert office.schedule.room == room
        tasks.cancel_scope.cancel()


async def test_who_waits_for_room_is_told() -> None:
    """When a seat becomes free, and when the worker is to stop."""
    office = Office(1)
    office.arrive("a")
    office.now = 1.0
    for tell in (office.schedule.nudge, partial(office.schedule.leave, "a")):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(office.schedule.changed)
            await anyio.wait_all_tasks_blocked()
            tell()


async def test_turns_are_small_while_sessions_share_a_worker() -> None:
    """And large again when the other one has not been seen for a while."""
    office = Office(10)
    office.arrive("a")
    assert (office.schedule.batch, office.schedule.shared) == (BATCH, False)
    office.arrive("b")
    assert (office.schedule.batch, office.schedule.shared) == (16, True)
    slow = office.schedule.slice_seconds
    office.now = 11.0
    office.arrive("a")
    assert (office.schedule.batch, office.schedule.shared) == (BATCH, False)
    assert office.schedule.slice_seconds > slow


async def test_turns_are_smaller_still_while_a_session_asks_for_little() -> None:
    """Two that have much to do lose nothing by longer turns; one that sends a mail now and then waits for each."""
    office = Office(10)
    for _ in range(10):
        await office.turn("a", 16)
        await office.turn("b", 16)
    assert office.schedule.batch == 16
    for _ in range(10):
        await office.turn("c", 1)
    assert office.schedule.batch == 8
    office.now = 11.0
    for session in "ab":
        await office.turn(session, 16)
    assert (office.schedule.shared, office.schedule.batch) == (True, 16)


async def test_two_turns_are_on_their_way_while_a_session_asks_for_little() -> None:
    """Two of the smallest ones, so that server and worker overlap, and no more are before a quiet session's mail."""
    office = Office(10)
    for _ in range(10):
        await office.turn("a", 8)
        await office.turn("b", 1)
    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(office.set_out, "a")
        await anyio.wait_all_tasks_blocked()
        assert office.gone == ["a", "a"]
        tasks.cancel_scope.cancel()


async def test_who_waits_for_the_server_needs_no_seat_meanwhile() -> None:
    """A session with few branches at work begins at once; then too many are at work, and one has to give way."""
    office = Office(5)
    office.arrive("a", 5)
    begun = anyio.Event()
    done: list[str] = []

    async def go() -> None:
        passage = office.schedule.passage("a", commits=0)
        async with passage:
            await begun.wait()
            passage.mails = BATCH
            done.append("a")

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(go)
        await anyio.wait_all_tasks_blocked()
        office.arrive("b", 4)
        assert office.started[5:] == ["b6", "b7"]
        begun.set()
    assert len(done) == 5
    assert [office.schedule.crowds(session) for session in "ab"] == [True, True]
    for _ in range(3):
        office.schedule.leave("a")
    assert [office.schedule.crowds(session) for session in "ab"] == [False, False]


async def test_no_branch_begins_beside_more_than_there_are_seats() -> None:
    """Some began beside turns that waited, which are on their way by now: none more is to be read with its mail."""
    office = Office(5)
    office.arrive("a", 5)
    go_on = anyio.Event()

    async def go() -> None:
        passage = office.schedule.passage("a", commits=0)
        async with passage:
            await go_on.wait()
            passage.mails = BATCH

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(go)
        await anyio.wait_all_tasks_blocked()
        office.arrive("b", 2)
        assert office.started[5:] == ["b6", "b7"]
        go_on.set()
    assert office.schedule.active == 7
    assert office.schedule.free == 0
    assert office.schedule.room > 0


async def test_what_may_begin_beside_turns_that_wait_is_read_with_its_mail() -> None:
    """One at a time: it has no seat of its own, and may be of a session that has to wait for one in line."""
    office = Office(5)
    office.arrive("a", 5)
    for _ in range(3):
        await office.turn("a", BATCH, ends=True)
    assert (office.schedule.free, office.schedule.room) == (0, 3)

    async def go() -> None:
        async with office.schedule.passage("a"):
            await anyio.sleep_forever()

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(go)
        await anyio.wait_all_tasks_blocked()
        assert (office.schedule.free, office.schedule.room) == (2, 1)
        office.arrive("b")
        assert (office.schedule.free, office.schedule.room) == (1, 1)
        office.arrive("a")
        assert (office.schedule.free, office.schedule.room) == (0, 0)
        tasks.cancel_scope.cancel()


async def test_a_small_batch_stays_small() -> None:
    """Nobody gets more than was asked for."""
    office = Office(10, batch=5)
    assert office.schedule.batch == 5
    office.arrive("a")
    office.arrive("b")
    assert office.schedule.batch == 5


async def count_under_way(office: Office, session: str, turns: int) -> int:
    """How many of these turns are let go at once."""
    gone = 0

    async def go() -> None:
        nonlocal gone
        async with office.schedule.passage(session):
            gone += 1
            await anyio.sleep_forever()

    async with anyio.create_task_group() as tasks:
        for _ in range(turns):
            tasks.start_soon(go)
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    return gone


async def test_the_window_holds_few_large_turns_or_many_small_ones() -> None:
    """What a session's turns usually bring is learnt; of a new one the most is expected."""
    office = Office(1000)
    assert await count_under_way(office, "a", 100) == 3
    for _ in range(20):
        await office.turn("a", 1)
    assert await count_under_way(office, "a", 1000) > 100


async def test_a_quiet_session_goes_before_a_flood() -> None:
    """Of turns that wait for the window, one of a session that has had little goes first."""
    office = Office(1000)
    order: list[str] = []
    office.arrive("quiet")
    begun = anyio.Event()

    async def go(session: str, mails: int) -> None:
        passage = office.schedule.passage(session)
        async with passage:
            order.append(session)
            if len(order) == 1:
                await begun.wait()
            passage.mails = mails

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(go, "flood", 32)
        await anyio.wait_all_tasks_blocked()
        ahead = len(order)
        tasks.start_soon(go, "quiet", 1)
        await anyio.wait_all_tasks_blocked()
        begun.set()
    assert "quiet" in order[ahead : ahead + 2]
    assert len(order) == 21


async def test_a_session_that_asks_for_little_need_not_wait() -> None:
    """It goes at once though the window is full and others wait, but not when it asks for more than its share."""
    office = Office(1000)
    office.arrive("quiet")
    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(office.set_out, "flood")
        await anyio.wait_all_tasks_blocked()
        assert office.gone == ["flood"] * 2
        for _ in range(3):
            tasks.start_soon(office.set_out, "quiet")
        await anyio.wait_all_tasks_blocked()
        assert office.gone[2:] == ["quiet"]
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("lonely", [True, False])
async def test_mails_in_hand_wait_behind_nothing_that_is_on_its_way(lonely: bool) -> None:
    """Large turns set out before another session came, and fill more than the window that is now."""
    office = Office(1000)
    async with anyio.create_task_group() as tasks:
        for _ in range(3 if lonely else 10):
            tasks.start_soon(office.set_out, "flood")
        await anyio.wait_all_tasks_blocked()
        assert office.gone == ["flood"] * 3
        office.arrive("quiet")
        tasks.start_soon(office.set_out, "quiet")
        await anyio.wait_all_tasks_blocked()
        assert "quiet" not in office.gone, "what has to be fetched waits"
        assert office.schedule.brought("quiet", 1)
        tasks.cancel_scope.cancel()


async def test_mails_in_hand_wait_when_their_session_has_had_its_part() -> None:
    """Or a session would get more than its share by being idle again and again."""
    office = Office(1000)
    office.arrive("quiet")
    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(office.set_out, "flood")
        await anyio.wait_all_tasks_blocked()
        assert not office.schedule.brought("flood", 1)
        begun = 0
        while office.schedule.brought("quiet", 1):
            begun += 1
        assert begun == 16
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("where", ["in line", "under way"])
async def test_a_turn_that_is_given_up_makes_room(where: str) -> None:
    """Nothing of it stays, whether it was in line or under way."""
    office = Office(1000)
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as tasks:

            async def go() -> None:
                async with office.schedule.passage("a"):
                    await anyio.sleep_forever()

            for _ in range(2 if where == "under way" else 10):
                tasks.start_soon(go)
            await anyio.wait_all_tasks_blocked()
            scope.cancel()
    with anyio.fail_after(60):
        await office.turn("a", 1)
    assert await count_under_way(office, "b", 100) == 2
