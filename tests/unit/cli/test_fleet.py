"""Processes that are kept running: replaced, renewed, fewer and more of them, and how they end."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from lion_broker.cli.fleet import Fleet
from lion_broker.testing import await_until

pytestmark = [pytest.mark.anyio, pytest.mark.processes]

# Writes a file of its own, and ends when it may: with what the file `code` says, or when its stdin ends.
PROGRAM = """
import os, pathlib, signal, sys, threading
folder = pathlib.Path(sys.argv[1])
def told(*_):
    folder.joinpath(f"told.{os.getpid()}").touch()
    os._exit(int(sys.argv[2]))
signal.signal(signal.SIGTERM, told)
code = folder / "code"
folder.joinpath(f"begun.{os.getpid()}").touch()
print(f"hello of {os.getpid()}", flush=True)
if code.exists():
    os._exit(int(code.read_text()))
sys.stdin.read()
"""


class Ground:
    """A folder in which processes leave their marks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fleet(self, wanted: int, told: int = 0, **options: Any) -> Fleet:
        """So many processes, which end with `told` when they are told to."""
        return Fleet([sys.executable, "-c", PROGRAM, str(self.folder), str(told)], os.environ, wanted, **options)

    def marks(self, kind: str) -> set[int]:
        """The numbers of the processes that have left a mark."""
        return {int(path.suffix[1:]) for path in self.folder.glob(f"{kind}.*")}

    def begun(self, fleet: Fleet, count: int) -> Callable[[], bool]:
        """Whether so many of a fleet's processes are at work."""
        return lambda: len(fleet.pids) == count and self.marks("begun").issuperset(fleet.pids)


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    """Where the processes of a test play."""
    return Ground(tmp_path)


@asynccontextmanager
async def running(fleet: Fleet) -> AsyncIterator[None]:
    """Run a fleet beside a block; it has ended when this returns."""
    async with anyio.create_task_group() as group:
        group.start_soon(fleet.run)
        yield
        fleet.stop()


async def test_one_that_dies_is_replaced(ground: Ground, caplog: pytest.LogCaptureFixture) -> None:
    """After a pause, by another process; the others stay."""
    fleet = ground.fleet(2)
    async with running(fleet):
        await await_until(ground.begun(fleet, 2))
        first, second = fleet.pids
        os.kill(first, signal.SIGKILL)
        await await_until(lambda: first not in fleet.pids and ground.begun(fleet, 2)())
        assert second in fleet.pids
    assert fleet.pids == []
    assert fleet.code == 0
    assert "a process has ended by signal 9; another starts in" in caplog.text


async def test_many_begin_one_after_another(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slip in a number does not take the machine: those whose turn has not come are never started."""
    monkeypatch.setattr("lion_broker.cli.fleet._AT_ONCE", 2)
    monkeypatch.setattr("lion_broker.cli.fleet._START_PAUSE", 3600.0)
    fleet = ground.fleet(300)
    async with running(fleet):
        # Two at once, and the next one, whose turn is the first of those that wait.
        await await_until(ground.begun(fleet, 3))
        fleet.resize(2)
        await await_until(ground.begun(fleet, 2))
    assert (len(ground.marks("begun")), fleet.code) == (3, 0)


async def test_one_that_ends_well_is_not_replaced(ground: Ground) -> None:
    """It was drained, or has nothing left to do: the fleet ends with its last process."""
    ground.folder.joinpath("code").write_text("0")
    fleet = ground.fleet(3)
    await fleet.run()
    assert (len(ground.marks("begun")), fleet.wanted, fleet.code) == (3, 0, 0)


async def test_a_wrong_command_is_not_tried_again(ground: Ground) -> None:
    """Exit code 2 ends the whole fleet, and is its exit code."""
    ground.folder.joinpath("code").write_text("2")
    fleet = ground.fleet(1)
    await fleet.run()
    assert (len(ground.marks("begun")), fleet.code) == (1, 2)


async def test_more_and_fewer(ground: Ground) -> None:
    """The newest are told to end; a fleet that stays waits with none."""
    fleet = ground.fleet(1, stays=True)
    async with running(fleet):
        await await_until(ground.begun(fleet, 1))
        (oldest,) = fleet.pids
        fleet.resize(3)
        await await_until(ground.begun(fleet, 3))
        fleet.resize(1)
        await await_until(lambda: fleet.pids == [oldest])
        fleet.resize(0)
        await await_until(lambda: fleet.pids == [])
        fleet.resize(1)
        await await_until(ground.begun(fleet, 1))
    assert len(ground.marks("told")) == 4


async def test_one_that_is_leaving_is_not_hurried(ground: Ground) -> None:
    """Stopping is a first signal for those that have had none; asked again it is a second one for all."""
    slow = "import os, sys, signal, time\n"
    slow += "def told(*_):\n    os.write(1, b'told\\n')\n"
    slow += "signal.signal(signal.SIGTERM, told)\nprint('begun', flush=True)\nsys.stdin.read()"
    lines: list[str] = []
    fleet = Fleet([sys.executable, "-c", slow], os.environ, 2, stays=True, on_line=lines.append)
    async with anyio.create_task_group() as group:
        group.start_soon(fleet.run)
        await await_until(lambda: lines == ["begun"] * 2)
        fleet.resize(1)
        await await_until(lambda: lines.count("told") == 1)
        fleet.stop()
        await await_until(lambda: lines.count("told") == 2)
        fleet.stop()
        await await_until(lambda: lines.count("told") == 4)
        for pid in fleet.pids:
            os.kill(pid, signal.SIGKILL)
    assert fleet.code == 137


async def test_a_code_of_one_that_was_told_is_kept(ground: Ground) -> None:
    """Stopping says it when a process did not end well; asking twice tells it twice."""
    fleet = ground.fleet(2, told=143)
    async with running(fleet):
        await await_until(ground.begun(fleet, 2))
        fleet.stop()
    assert fleet.code == 143


async def test_a_patient_fleet_waits_for_a_change(ground: Ground) -> None:
    """A process that cannot begin is not tried before somebody says so; one at work is replaced at once."""
    code = ground.folder / "code"
    code.write_text("2")
    failures: list[int] = []
    fleet = ground.fleet(1, patient=True, on_failure=failures.append)
    async with running(fleet):
        await await_until(lambda: failures == [2])
        code.unlink()
        fleet.renew()
        await await_until(ground.begun(fleet, 1))
        (first,) = fleet.pids
        fleet.renew()
        await await_until(lambda: first not in fleet.pids and ground.begun(fleet, 1)())
    assert fleet.code == 0


async def test_what_they_print_is_handed_on(ground: Ground) -> None:
    """Line by line."""
    lines: list[str] = []
    fleet = ground.fleet(1, on_line=lines.append)
    async with running(fleet):
        await await_until(lambda: bool(lines))
        assert lines == [f"hello of {fleet.pids[0]}"]


async def test_they_end_when_whoever_keeps_them_is_cancelled(ground: Ground) -> None:
    """However the keeper ends: their stdin does, too."""
    fleet = ground.fleet(2)
    async with anyio.create_task_group() as group:
        group.start_soon(fleet.run)
        await await_until(ground.begun(fleet, 2))
        processes = [slot.process for slot in fleet._slots]
        group.cancel_scope.cancel()
    # By the event loop, which is told of each end: who asks the system takes the exit code from it.
    await await_until(lambda: all(one is not None and one.returncode is not None for one in processes))
