"""TELEMETRY: P1 and P2 with spans and metrics of OpenTelemetry, and with Prometheus, beside the same without."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from .contest import Contest, Outcome
from .drain import drained
from .growth import measured
from .peers.table import OURS, Contender, Kind
from .rig import Figure, Rig, WrongResult

__all__ = ["telemetry"]

OTEL = Contender("with OpenTelemetry", "observed", Kind.OURS, "otel", share=1, bulk=True)
ONE_BY_ONE = replace(OURS, name="without, sent one by one", bulk=False)
APART = Contender("with OpenTelemetry, a trace for each mail", "observed", Kind.OURS, "otel", share=1)
PROMETHEUS = Contender("with Prometheus", "observed", Kind.OURS, "prometheus", share=1, bulk=True)
ROUNDS = 7
"""A worker drains for half a second of CPU, and what else the machine does adds a fifth to that, or as much again."""


def telemetry(contest: Contest, drained_items: int, relayed_items: int) -> list[Figure]:
    """Drain and answer mail in turns with and without; what is compared is the worker's least CPU of all rounds."""
    among = Contest(contest.rig, (OURS, ONE_BY_ONE, OTEL, APART, PROMETHEUS), max(contest.rounds, ROUNDS))
    found: list[Figure] = []
    for number, work, items in (("P1", "drain", drained_items), ("P2", "relay", relayed_items)):
        outcomes = among.run(lambda turn, work=work, items=items: drained(turn, work, items))  # type: ignore[misc]
        found += _ratios(number, outcomes)
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


def _ratios(number: str, outcomes: list[Outcome]) -> Iterator[Figure]:
    """Each way of watching over none with mails that were sent the same way, the least of each."""
    for one in outcomes:
        if one.error:
            raise WrongResult(f"{one.contender.name}: {one.error}")
    bare, one_by_one, *watched = outcomes
    for without in (bare, one_by_one):
        work = f"{number}, worker's CPU {'without' if without is bare else without.contender.name}, the least"
        yield Figure("TELEMETRY", work, _least(without), "µs/item", samples=tuple(without.all("worker")))
    for one in watched:
        yield Figure(
            "TELEMETRY",
            f"{number}, worker's CPU {one.contender.name}",
            _least(one) / _least(bare if one.contender.bulk else one_by_one),
            "ratio",
            "at most 1.10",
            at_most=1.10,
            samples=tuple(one.all("worker")),
        )


def _least(outcome: Outcome) -> float:
    return min(outcome.all("worker"))
