"""Modules that take long to import: who waits for them is told so, and can end it."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lion_broker.testing import wait_until
from tests.integration.cli.conftest import Told
from tests.stage import ROOT, Program, Stage

pytestmark = [pytest.mark.redis, pytest.mark.processes]

IMPATIENT = (
    "import sys; from lion_broker.__main__ import main; from lion_broker.cli import loading;"
    " loading.SLOW_SECONDS = 0.01; sys.exit(main(sys.argv[1:]))"
)
"""The command line of somebody who has no patience with silence."""
STILL = "--app slow:registry: its module is still being imported, for 0.01 s now; workers wait for it. Ctrl-C ends it."
WAYS = [("up", "--no-dashboard"), ("worker",), ("worker", "--processes", "2")]


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """What the module `slow` reads to its end when it is imported."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    (tmp_path / "slow.py").write_text(
        f"from lion_broker import Registry\n\nopen({str(gate)!r}).read()\nregistry = Registry()\n"
    )
    return gate


@contextmanager
def hand(gate: Path) -> Iterator[tuple[int, Callable[[], None]]]:
    """Hold the gate from the moment on at which somebody reads from it; with what lets them in, and all who follow."""
    end = os.open(gate, os.O_WRONLY)

    def let_in() -> None:
        gate.unlink()
        gate.touch()

    try:
        yield end, let_in
    finally:
        os.close(end)


def is_let_go(end: int) -> bool:
    """Whether nobody reads at the other end any more."""
    poll = select.poll()
    poll.register(end, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def begin(stage: Stage, gate: Path, *words: str) -> Program:
    """Start something with the slow module."""
    path = os.pathsep.join((str(gate.parent), str(ROOT)))
    return stage.start("-c", IMPATIENT, *words, "--app", "slow:registry", "--json", PYTHONPATH=path)


@pytest.mark.parametrize("words", WAYS, ids=" ".join)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_is_said_and_can_be_ended(stage: Stage, gate: Path, words: tuple[str, ...], number: signal.Signals) -> None:
    """Ctrl-C and SIGTERM end it without a word more, with the process that was to try."""
    program = begin(stage, gate, *words)
    with hand(gate) as (end, _):
        wait_until(lambda: STILL in program.errors)
        program.process.send_signal(number)
        code = program.wait()
        assert is_let_go(end)
    # A worker of its own dies of the second as any program does, and nothing is to be put away.
    assert code == (-number if (words, number) == (("worker",), signal.SIGTERM) else 0)
    assert program.errors.count("\n") == 1


@pytest.mark.parametrize("words", WAYS, ids=" ".join)
def test_a_slow_import_is_no_fault(stage: Stage, gate: Path, words: tuple[str, ...]) -> None:
    """However long it takes: then everything serves."""
    program = begin(stage, gate, *words)
    with hand(gate) as (_, let_in):
        wait_until(lambda: STILL in program.errors)
        let_in()
    assert program.told()["event"] == "ready"
    assert program.stop() == 0


def test_one_that_was_to_run_on_its_own_says_it_to_who_has_started_it(stage: Stage, gate: Path, told: Told) -> None:
    """Not only to its log, which nobody reads while a command does not return."""
    program = begin(stage, gate, "up", "--no-dashboard", "--workers", "1", "--detach")
    with hand(gate) as (_, let_in):
        wait_until(lambda: "still being imported, for 5 s now" in program.errors)
        let_in()
    ready = program.told()
    assert ready["event"] == "ready"
    assert program.wait() == 0
    assert "still being imported" in Path(ready["log"]).read_text()
    assert told("down") == {"stopped": True, "server_stopped": False}


def test_it_is_found_by_down(stage: Stage, gate: Path, told: Told) -> None:
    """Also before there is anything to show."""
    program = begin(stage, gate, "up", "--no-dashboard")
    with hand(gate):
        assert told("down") == {"stopped": True, "server_stopped": False}
    assert program.wait() == 0


def test_it_does_not_outlive_who_waits_for_it(stage: Stage, gate: Path) -> None:
    """A program that is killed leaves no process behind that goes on with the import."""
    program = begin(stage, gate, "up", "--no-dashboard")
    with hand(gate) as (end, _):
        program.kill()
        wait_until(lambda: is_let_go(end))
