"""TELEMETRY: P1 and P2 with spans and metrics of OpenTelemetry, and with Prometheus, beside the same without."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import replace

from .contest import Contest, Outcome
from .drain import drained
from .growth import measured
from .peers.table import OURS, Contender, Kind
from .rig import Figure, Rig, WrongResult

__all__ = ["ratios", "telemetry"]

AGAIN = replace(OURS, name="without, again")
OTEL = Contender("with OpenTelemetry", "observed", Kind.OURS, "otel", share=1, bulk=True)
PROMETHEUS = Contender("with Prometheus", "observed", Kind.OURS, "prometheus", share=1, bulk=True)
ONE_BY_ONE = replace(OURS, name="without, sent one by one", bulk=False)
APART = Contender("with OpenTelemetry, a trace for each mail", "observed", Kind.OURS, "otel", share=1)
BESIDE = {AGAIN: OURS, OTEL: OURS, PROMETHEUS: OURS, APART: ONE_BY_ONE}
"""What each is compared with: the same mail, sent the same way and not watched."""
ROUNDS = 15
"""A worker drains for half a second of CPU, and what else the machine does adds a fifth to that, or as much again."""


def telemetry(contest: Contest, drained_items: int, relayed_items: int) -> list[Figure]:
    """Drain and answer mail in turns with and without; the CPU of two workers is compared round by round."""
    contenders = (OURS, *BESIDE, ONE_BY_ONE)
    among = Contest(contest.rig, contenders, max(contest.rounds, ROUNDS), back_and_forth=True)
    found: list[Figure] = []
    for number, work, items in (("P1", "drain", drained_items), ("P2", "relay", relayed_items)):
        outcomes = among.run(lambda turn, work=work, items=items: drained(turn, work, items))  # type: ignore[misc]
        found += ratios(number, outcomes)
        found += _counted(contest.rig, number, work)
    return found


def _counted(rig: Rig, number: str, work: str) -> Iterator[Figure]:
    """Calls of Python and C functions a mail, which are the same whatever else the machine does."""
    bare, *watched = (
        measured(rig, "telemetry_calls", watch, work)["calls"] for watch in ("none", "prometheus", "otel")
    )
    yield Figure("TELEMETRY", f"{number}, worker's calls without, turns of 100", bare, "calls/item")
    for name, calls in zip((PROMETHEUS.name, OTEL.name), watched, strict=True):
        ratio = calls / bare
        yield Figure("TELEMETRY", f"{number}, worker's calls {name}", ratio, "ratio", "at most 1.10", at_most=1.10)


def ratios(number: str, outcomes: Sequence[Outcome]) -> Iterator[Figure]:
    """The median of the rounds' ratios, for each way of watching; and that of two workers that nobody watches.

    The latter, and how far apart the quarters of its rounds lie, say how much of the others is the machine.
    """
    for one in outcomes:
        if one.error:
            raise WrongResult(f"{one.contender.name}: {one.error}")
    by = {one.contender: one.all("worker") for one in outcomes}
    for bare in (OURS, ONE_BY_ONE):
        work = f"{number}, worker's CPU {'without' if bare is OURS else bare.name}"
        yield Figure("TELEMETRY", work, statistics.median(by[bare]), "µs/item", samples=by[bare])
    for watched, bare in BESIDE.items():
        found = tuple(mine / other for mine, other in zip(by[watched], by[bare], strict=True))
        goal, most = ("", None) if watched is AGAIN else ("at most 1.10", 1.10)
        work = f"{number}, worker's CPU {watched.name} / without"
        yield Figure("TELEMETRY", work, statistics.median(found), "ratio", goal, at_most=most, samples=found)
        if watched is AGAIN and len(found) > 1:
            low, _, high = statistics.quantiles(found, n=4)
            yield Figure("TELEMETRY", f"{number}, the same, between the quarters of its rounds", high - low, "ratio")
