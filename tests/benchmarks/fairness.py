"""How long a quiet session's mail waits while the worker has much to do for another session.

There are three kinds of that. In a flood a program keeps putting mail in at full speed, so that three programs are
busy. A backlog waits already when the worker begins, and nobody puts more in. A crowd is a backlog of many more
branches than the worker has seats.
"""

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
from lion_broker.mail.verbs import ReadSession
from lion_broker.testing import wait_until

from .rig import Figure, Rig, WrongResult
from .stamps import FILE, read_stamps

ROUNDS = 2
ALONE = "alone"
FORMS = {
    "flood": "a flood that goes on",
    "backlog": "a backlog, nothing put in",
    "crowd": "a backlog of 2,000 branches",
}
"""What is beside it: a form of `flood.py`, and its name."""


def fairness(rig: Rig, mails: int) -> list[Figure]:
    """One mail every 20 ms to a quiet session, in turn alone and beside each form of another session's mail."""
    waits: dict[str, list[float]] = {form: [] for form in (ALONE, *FORMS)}
    firsts: dict[str, list[float]] = {form: [] for form in waits}
    for number in range(1, ROUNDS + 1):
        for form, found in waits.items():
            while (missing := mails * number // ROUNDS - len(found)) > 0:
                of_round = _waits(rig, missing, form)
                firsts[form].append(of_round[0])
                found += of_round
    idle = _p99(waits[ALONE])
    rows = [Figure("FAIR", "quiet session alone, send → behaviour starts, p99", idle * 1000, "ms")]
    for form, name in FORMS.items():
        busy = _p99(waits[form])
        rows += [
            Figure("FAIR", f"beside {name}: first mail, longest", max(firsts[form]) * 1000, "ms"),
            Figure("FAIR", f"beside {name}: p50", statistics.median(waits[form]) * 1000, "ms"),
            Figure("FAIR", f"beside {name}: p99", busy * 1000, "ms"),
            Figure("FAIR", f"beside {name}: p99 / p99 alone", busy / idle, "ratio", "at most 3", at_most=3.0),
        ]
    return rows


def _waits(rig: Rig, mails: int, form: str) -> list[float]:
    """Return how many seconds quiet mails waited: so many, or as many as there was other mail beside until the end."""
    pool, counted = f"fair-{time.monotonic_ns()}", 0
    with tempfile.TemporaryDirectory() as directory:
        stamps = Path(directory, "stamps")
        with (
            Session(exchange=rig.exchange(), delivery="auto") as quiet,
            _beside(rig, pool, form) as other,
            _worker(rig, pool, stamps),
        ):
            remote = quiet.new_branch(pool=pool, behaviour="stamp")
            while counted < mails:
                time.sleep(0.02)
                quiet.default_branch.send(remote, "message", repr(time.monotonic()))
                wait_until(partial(_are_there, stamps, counted + 1), 60)
                if other and not _waiting(quiet, other):
                    break
                counted += 1
            quiet.delete()
        if not counted:
            raise WrongResult("FAIR: the other session's mail was all done before the first mail of the quiet one was.")
        return read_stamps(stamps)[:counted]


def _are_there(stamps: Path, count: int) -> bool:
    return len(read_stamps(stamps)) >= count


def _waiting(session: Session, other: str) -> int:
    """How many mails wait for another session's branches."""
    record = session.exchange.call(ReadSession(other))
    return record.counters["inflight"] if record is not None else 0


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
def _beside(rig: Rig, pool: str, form: str) -> Iterator[str]:
    """Have mail waiting for another session, from a process of its own; its id is empty where nothing is beside."""
    if form == ALONE:
        yield ""
        return
    command = [sys.executable, "-m", "tests.benchmarks.flood", pool, form]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=rig.environment(), stdin=pipe, stdout=pipe, text=True) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        session = program.stdout.readline().strip()
        try:
            yield session
        finally:
            program.stdin.close()


def _p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[98]
