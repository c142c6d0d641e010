"""P6: how long a branch waits for its next worker, after a kill and after a clean stop."""

from __future__ import annotations

import signal
import statistics
import subprocess
import sys
import time

import anyio

from lion_broker import Branch, Mail, Registry, Session
from lion_broker.testing import wait_until

from .rig import Figure, Rig

registry = Registry()
_LEASE = 2.0


@registry.behaviour("slow", record=False)
async def slow(branch: Branch, mail: Mail) -> None:
    """Be at work."""
    await anyio.sleep(0.01)


def takeover(rig: Rig, repeats: int) -> list[Figure]:
    """Seconds from the end of a worker to the first turn of another one on the branch that it hosted."""
    killed = [_seconds(rig, signal.SIGKILL) for _ in range(repeats)]
    stopped = [_seconds(rig, signal.SIGTERM) for _ in range(repeats)]
    kill, longest = f"takeover after kill -9, lease {_LEASE:g} s", max(killed)
    return [
        Figure("P6", f"{kill}, median", statistics.median(killed), "s", samples=tuple(killed)),
        Figure("P6", f"{kill}, longest", longest, "s", f"under {_LEASE + 1:g}", at_most=_LEASE + 1),
        Figure("P6", "hand-over after SIGTERM, longest", max(stopped), "s", "under 1", at_most=1.0),
    ]


def _seconds(rig: Rig, end: signal.Signals) -> float:
    with Session(exchange=rig.exchange(), delivery="auto") as session:
        remote = session.new_branch(name="remote", pool="takeover", behaviour="slow")
        workers = [_worker(rig) for _ in range(2)]
        with session.batch():
            for number in range(2_000):
                session.default_branch.send(remote, "message", str(number))
        owner = wait_until(lambda: session.branches["remote"].record.owner)
        first = next(worker for worker in workers if f":{worker.pid}:" in owner)
        first.send_signal(end)
        if end == signal.SIGTERM:
            first.wait()
        begun = time.perf_counter()
        wait_until(lambda: session.branches["remote"].record.owner not in ("", owner), 10 * _LEASE)
        seconds = time.perf_counter() - begun
        for worker in workers:
            worker.kill()
            worker.wait()
        session.delete()
    return seconds


def _worker(rig: Rig) -> subprocess.Popen[str]:
    words = ("--app", "tests.benchmarks.takeover:registry", "--pool", "takeover", "--lease", str(_LEASE), "--json")
    worker = subprocess.Popen(
        [sys.executable, "-m", "lion_broker", "worker", *words],
        env=rig.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert worker.stdout is not None
    worker.stdout.readline()
    return worker
