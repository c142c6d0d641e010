"""How long a quiet session's mail waits while another session floods the same worker."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from lion_broker import Session
from lion_broker.testing import wait_until

from .rig import Figure, Rig
from .stamps import FILE, read_stamps

ROUNDS = 2


def fairness(rig: Rig, mails: int) -> list[Figure]:
    """One mail every 20 ms to a quiet session, first alone, then beside a flood of another one."""
    alone, beside = [], []
    for _ in range(ROUNDS):
        alone += _waits(rig, mails // ROUNDS, flooded=False)
        beside += _waits(rig, mails // ROUNDS, flooded=True)
    idle, busy = _p99(alone), _p99(beside)
    return [
        Figure("FAIR", "quiet session alone, send → behaviour starts, p99", idle * 1000, "ms"),
        Figure("FAIR", "the same beside a flood, p50", statistics.median(beside) * 1000, "ms"),
        Figure("FAIR", "the same beside a flood, p99", busy * 1000, "ms"),
        Figure("FAIR", "p99 beside a flood / p99 alone", busy / idle, "ratio", "at most 3", at_most=3.0),
    ]


def _waits(rig: Rig, mails: int, *, flooded: bool) -> list[float]:
    pool = f"fair-{time.monotonic_ns()}"
    with tempfile.TemporaryDirectory() as directory:
        stamps = Path(directory, "stamps")
        with (
            Session(exchange=rig.exchange(), delivery="auto") as quiet,
            _worker(rig, pool, stamps),
            _flood(rig, pool, flooded),
        ):
            remote = quiet.new_branch(pool=pool, behaviour="stamp")
            for number in range(mails):
                time.sleep(0.02)
                quiet.default_branch.send(remote, "message", repr(time.monotonic()))
                wait_until(partial(_are_there, stamps, number + 1), 60)
            quiet.delete()
        return read_stamps(stamps)


def _are_there(stamps: Path, count: int) -> bool:
    return len(read_stamps(stamps)) >= count


@contextmanager
def _worker(rig: Rig, pool: str, stamps: Path) -> Iterator[None]:
    words = ("--app", "tests.benchmarks.stamps:registry", "--pool", pool, "--json")
    worker = subprocess.Popen(
        [sys.executable, "-m", "lion_broker", "worker", *words],
        env={**rig.environment(), FILE: str(stamps)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert worker.stdout is not None
    worker.stdout.readline()
    try:
        yield
    finally:
        worker.terminate()
        worker.wait()


@contextmanager
def _flood(rig: Rig, pool: str, flooded: bool) -> Iterator[None]:
    """Keep mail waiting for the branches of another session, from a process of its own."""
    if not flooded:
        yield
        return
    command = [sys.executable, "-m", "tests.benchmarks.flood", pool]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=rig.environment(), stdin=pipe, stdout=pipe, text=True) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        program.stdout.readline()
        try:
            yield
        finally:
            program.stdin.close()


def _p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[98]
