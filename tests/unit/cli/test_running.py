"""How a process of a deployment is told to stop."""

import os
import signal
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import pytest

from lion_broker.cli import running
from lion_broker.cli.running import Signals, on_eof, run, server_answers, until_told
from lion_broker.cli.worker import clock_warning
from lion_broker.errors import BrokerUnavailable, LionError
from lion_broker.mail.memory import MemoryExchange

pytestmark = pytest.mark.anyio


async def signals(*numbers: signal.Signals) -> AsyncIterator[signal.Signals]:
    """Signals that come at once, and then no more."""
    for number in numbers:
        yield number
    await anyio.sleep_forever()


class Work:
    """Work that goes on until it is told to stop, or for ever."""

    def __init__(self, obeys: bool = True) -> None:
        self.told = anyio.Event()
        self.ended = False
        self._obeys = obeys

    async def run(self) -> None:
        await self.told.wait()
        if not self._obeys:
            await anyio.sleep_forever()
        self.ended = True


async def test_work_that_ends_by_itself() -> None:
    """Without a signal the exit code is 0 when the work is done."""
    work = Work()
    work.told.set()
    assert await until_told(work.run, work.told.set, signals()) == 0


async def test_the_first_signal_asks() -> None:
    """The work ends as it likes, and that is a clean end."""
    work = Work()
    assert await until_told(work.run, work.told.set, signals(signal.SIGTERM)) == 0
    assert work.ended


async def test_the_second_signal_insists() -> None:
    """Work that does not end is cut short, and the exit code names the signal as shells do."""
    work = Work(obeys=False)
    assert await until_told(work.run, work.told.set, signals(signal.SIGTERM, signal.SIGINT)) == 130
    assert not work.ended


async def test_a_signal_while_nobody_has_answered_ends_the_waiting() -> None:
    """At once, though the server may take its time; it is no error."""
    reached = anyio.Event()

    class Slow(MemoryExchange):
        async def acall_all(self, verbs: Any, /, **way: Any) -> list[Any]:
            reached.set()
            await anyio.sleep_forever()
            return []

    async def soon() -> AsyncIterator[signal.Signals]:
        await reached.wait()
        yield signal.SIGTERM

    assert not await server_answers(Slow(), soon())
    assert await server_answers(MemoryExchange(), signals())


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Standard input is a pipe; its other end, which the test closes."""
    reading, writing = os.pipe()
    monkeypatch.setattr(running, "STDIN", reading)
    yield writing
    os.close(reading)


async def test_the_end_of_stdin_asks_too(pipe: int) -> None:
    """What stdin says does not matter, only that it ends."""
    work = Work()
    on_eof(work.told.set)
    os.write(pipe, b"anything")
    os.close(pipe)
    with anyio.fail_after(60):
        await work.run()
    assert work.ended


@pytest.mark.parametrize(
    ("failures", "raised"),
    [
        ((BrokerUnavailable("gone"), LionError("too")), BrokerUnavailable),
        ((BrokerUnavailable("gone"), KeyError("a fault")), ExceptionGroup),
    ],
)
def test_an_error_of_several_tasks_is_told_as_one(failures: tuple[Exception, ...], raised: type[Exception]) -> None:
    """A command says the first of the package's errors; a fault in the program keeps its traceback."""

    async def fail(error: Exception) -> None:
        raise error

    async def program(signals: Signals) -> None:
        async with anyio.create_task_group() as group:
            for error in failures:
                group.start_soon(fail, error)

    with pytest.raises(raised):
        run(program)


def test_a_clock_that_is_off_is_warned_of() -> None:
    """By how much and which way; what a network takes is no reason."""
    assert clock_warning(0.4) == clock_warning(-4.9) == ""
    assert clock_warning(3600).startswith("the clock of this machine is 1h ahead of the server's: ")
    assert clock_warning(-86400 * 3).startswith("the clock of this machine is 3d behind the server's: ")
