"""What a worker asks for: how many branches, of which streams, and for how long it waits."""

import pytest

from lion_broker.mail.records import OVER, ReadyEntry
from lion_broker.mail.verbs import ReadReady
from lion_broker.worker.load import Load
from lion_broker.worker.reading import Reading
from lion_broker.worker.schedule import Schedule

pytestmark = pytest.mark.anyio


class Reader:
    """A worker's reading with so many seats, and what it is told to read."""

    def __init__(self, seats: int) -> None:
        self.schedule = Schedule(seats, 200, lambda ready: None)
        self.load = Load()
        self.reading = Reading(self.schedule, self.load, "p", "ada")
        self._number = 0

    def next(self) -> ReadReady:
        """What is read next, which must be something."""
        read = self.reading.next()
        assert read is not None
        return read

    def found(self, *prefixes: str) -> None:
        """The next read finds branches in the ready stream, or with OVER in the overflow."""
        read, found = self.next(), []
        for prefix in prefixes:
            self._number += 1
            found.append(ReadyEntry(f"{prefix}{self._number}-0", "s", f"b{self._number}"))
        self.reading.note(read, found)
        for ready in found:
            self.schedule.add(ready)

    async def turn_ends(self) -> None:
        """A turn comes back, after which one more branch may be read."""
        async with self.schedule.passage("s", commits=0):
            pass


async def test_no_more_than_begins_at_once() -> None:
    """As many branches as there are seats; where both streams have some, half as many of each, and at least one."""
    asked = {seats: Reader(seats).next() for seats in (1, 2, 10, 100)}
    assert {seats: read.count for seats, read in asked.items()} == {1: 1, 2: 2, 10: 10, 100: 16}
    assert all((read.overflow, read.seats, read.wait_ms) == (True, seats, 500) for seats, read in asked.items())
    for seats, count in ((2, 1), (3, 1), (11, 5), (100, 16)):
        reader = Reader(seats)
        reader.found(OVER)
        reader.schedule.leave("s")
        assert (reader.next().count, reader.next().overflow) == (count, True)


async def test_no_room() -> None:
    """A worker whose seats are taken reads nothing until a turn ends."""
    reader = Reader(1)
    reader.found("")
    assert reader.reading.next() is None
    await reader.turn_ends()
    assert (reader.next().count, reader.next().seats) == (1, 0)


async def test_the_overflow_is_left_out_while_others_wait_in_line() -> None:
    """Where there is one at all; and never for long, for a seat may be free soon."""
    reader = Reader(1)
    reader.found("", OVER)
    for _ in range(2):
        await reader.turn_ends()
    glance = reader.next()
    assert (reader.schedule.in_line, glance.overflow, glance.wait_ms) == (1, False, 10)
    # Few, and all of them with the mail that they hand out, though no seat is free.
    assert (reader.schedule.free, glance.count, glance.seats) == (0, 4, None)
    reader.found()
    assert not reader.next().overflow
    reader.schedule.leave("s")
    assert (reader.schedule.in_line, reader.next().overflow) == (0, True)


async def test_the_overflow_is_not_left_out_for_ever() -> None:
    """However long others keep the line full: each fifth read is of both."""
    reader = Reader(1)
    reader.found("", "", OVER)
    for _ in range(3):
        await reader.turn_ends()
    asked = []
    for _ in range(5):
        read = reader.next()
        asked.append(read.overflow)
        # What is new comes with its mail whichever streams are read, and though no seat is free.
        assert (reader.schedule.free, read.seats) == (0, None)
        assert read.count <= 4
        reader.found()
    assert asked == [False, False, False, False, True]
    assert (reader.next().overflow, reader.next().seats) == (True, 0)


async def test_without_an_overflow_both_are_read() -> None:
    """A line of branches that came from the ready stream alone changes nothing."""
    reader = Reader(1)
    reader.found("", "")
    for _ in range(2):
        await reader.turn_ends()
    assert (reader.schedule.in_line, reader.next().overflow, reader.next().wait_ms) == (1, True, 500)


@pytest.mark.parametrize("crowded", [True, False])
async def test_who_has_too_much_to_do_waits_for_no_more(crowded: bool) -> None:
    """What becomes ready goes to those who wait for it, and it takes what they leave."""
    reader = Reader(1 if crowded else 10)
    if crowded:
        reader.found("", OVER)
        for _ in range(2):
            await reader.turn_ends()
    assert reader.next().wait_ms > 0
    reader.load.note(0.1)
    assert (reader.next().overflow, reader.next().wait_ms) == (not crowded, 0)
    reader.load.note(0.0)
    assert reader.next().wait_ms > 0


def test_who_ends_when_nothing_is_there_does_not_wait_for_long() -> None:
    """Nothing comes into that wait but what others send meanwhile, and whoever waits for the end waits for it too."""
    reader = Reader(10)
    assert reader.next().wait_ms == 500
    reader.reading.until_idle = True
    assert reader.next().wait_ms == 50
