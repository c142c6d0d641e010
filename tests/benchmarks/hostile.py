"""M2: texts that are made to keep a worker busy, and how the work of reading them grows with their length."""

from __future__ import annotations

from collections.abc import Callable
from time import thread_time

from tests.unit.demo.test_hostile_texts import READERS, RUNS

from .rig import Figure

SIZE, FACTOR, ATTEMPTS = 16_000, 4, 3
# What is quicker than this cannot be compared.
LEAST = 0.001


def hostile() -> list[Figure]:
    """The worst of all readers and runs, for a text that is four times as long; linear work is 4, quadratic 16."""
    growths = {(name, run): _growth(read, run) for name, read in READERS.items() for run in RUNS}
    (name, run), worst = max(growths.items(), key=lambda pair: pair[1])
    return [Figure("M2", f"four times the text: {name}, runs of {run!r}", worst, "x", "about 4, far from 16")]


def _growth(read: Callable[[str], object], run: str) -> float:
    short, long = (run * (size // len(run)) for size in (SIZE, SIZE * FACTOR))
    base = min(_seconds(read, short) for _ in range(ATTEMPTS))
    return min(_seconds(read, long) for _ in range(ATTEMPTS)) / max(base, LEAST)


def _seconds(read: Callable[[str], object], text: str) -> float:
    started = thread_time()
    read(text)
    return thread_time() - started
