"""How long a quiet session's mail waits while another session floods the same worker."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from lion_broker import Session
from lion_broker.mail.exchange import run
from lion_broker.session.postbox import Postbox
from lion_broker.testing import wait_until

from .rig import Figure, Rig, kilobyte_mails
from .stamps import FILE, read_stamps

FLOODED = 100
"""Branches of the session that floods."""
BACKLOG = 20_000
"""Mails that wait for them at least."""


def fairness(rig: Rig, mails: int) -> list[Figure]:
    """One mail every 20 ms to a quiet session, first alone, then beside a flood of another one."""
    alone = _waits(rig, mails, flooded=False)
    beside = _waits(rig, mails, flooded=True)
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
            Session(exchange=rig.exchange(), delivery="auto") as loud,
            _worker(rig, pool, stamps),
            _flood(loud, pool, flooded),
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
def _flood(session: Session, pool: str, flooded: bool) -> Iterator[None]:
    """Keep mail waiting for the branches of a session."""
    if not flooded:
        yield
        return
    branches = [session.new_branch(pool=pool, behaviour="note").id for _ in range(FLOODED)]
    postbox, ended = Postbox(session.id), threading.Event()

    def pour() -> None:
        while not ended.is_set():
            if session.counters().get("inflight", 0) < BACKLOG:
                run(session.exchange, postbox.post_steps(kilobyte_mails(session.id, session.id, branches, 2000)))
            ended.wait(0.01)

    thread = threading.Thread(target=pour)
    thread.start()
    wait_until(lambda: session.counters().get("inflight", 0) >= BACKLOG / 2, 60)
    try:
        yield
    finally:
        ended.set()
        thread.join()
        session.delete()


def _p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[98]
