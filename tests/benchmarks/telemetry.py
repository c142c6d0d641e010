"""TELEMETRY: P1 and P2 with spans and metrics of OpenTelemetry, and with Prometheus, beside the same without."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence

from .growth import measured
from .rig import Figure, Rig

__all__ = ["ratios", "telemetry"]

NAMES = {"again": "without, again", "otel": "with OpenTelemetry", "prometheus": "with Prometheus"}
CASES = (("P1", "drain", "together"), ("P1", "drain", "apart"), ("P2", "relay", "together"))


def telemetry(rig: Rig, rounds: int) -> list[Figure]:
    """Drain and answer mail with and without, in slices of 2,000 mails; the worker's CPU is compared round by round."""
    found: list[Figure] = []
    for number, work, sent in CASES:
        what = f"{number}, worker's CPU" if sent == "together" else f"{number}, a trace for each mail, worker's CPU"
        found += ratios(what, measured(rig, "telemetry_pairs", work, sent, str(rounds)))
    for number, work in (("P1", "drain"), ("P2", "relay")):
        found += _counted(rig, number, work)
    return found


def ratios(what: str, samples: Mapping[str, Sequence[float]]) -> Iterator[Figure]:
    """The median of the rounds' ratios, for each way of watching; and that of two workers that nobody watches.

    The latter, and how far apart the quarters of its rounds lie, say how much of the others is the machine.
    """
    bare = samples["none"]
    yield Figure("TELEMETRY", f"{what} without", statistics.median(bare), "µs/item", samples=tuple(bare))
    by = {watch: tuple(mine / other for mine, other in zip(samples[watch], bare, strict=True)) for watch in NAMES}
    for watch, found in by.items():
        goal, most = ("", None) if watch == "again" else ("at most 1.10", 1.10)
        work = f"{what} {NAMES[watch]} / without"
        yield Figure("TELEMETRY", work, statistics.median(found), "ratio", goal, at_most=most, samples=found)
    low, _, high = statistics.quantiles(by["again"], n=4)
    yield Figure("TELEMETRY", f"{what} without, again: between its quarters", high - low, "ratio")


def _counted(rig: Rig, number: str, work: str) -> Iterator[Figure]:
    """Calls of Python and C functions a mail, which are the same whatever else the machine does."""
    watches = ("none", "prometheus", "otel")
    bare, *watched = (measured(rig, "telemetry_calls", watch, work)["calls"] for watch in watches)
    yield Figure("TELEMETRY", f"{number}, worker's calls without, turns of 100", bare, "calls/item")
    for watch, calls in zip(watches[1:], watched, strict=True):
        work = f"{number}, worker's calls {NAMES[watch]}"
        yield Figure("TELEMETRY", work, calls / bare, "ratio", "at most 1.10", at_most=1.10)
