"""TELEMETRY: P1 and P2 with spans and metrics of OpenTelemetry, and with Prometheus, beside the same without."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import replace

from .contest import Contest, Outcome
from .drain import drained
from .peers.table import OURS, Contender, Kind
from .rig import Figure, WrongResult

__all__ = ["telemetry"]

OTEL = Contender("with OpenTelemetry", "observed", Kind.OURS, "otel", share=1, bulk=True)
ONE_BY_ONE = replace(OURS, name="without, sent one by one", bulk=False)
APART = Contender("with OpenTelemetry, a trace for each mail", "observed", Kind.OURS, "otel", share=1)
PROMETHEUS = Contender("with Prometheus", "observed", Kind.OURS, "prometheus", share=1, bulk=True)


def telemetry(contest: Contest, drained_items: int, relayed_items: int) -> list[Figure]:
    """Drain and answer mail in turns with and without; what is compared is the CPU time of the worker."""
    among = Contest(contest.rig, (OURS, ONE_BY_ONE, OTEL, APART, PROMETHEUS), max(contest.rounds, 3))
    found: list[Figure] = []
    for number, work, items in (("P1", "drain", drained_items), ("P2", "relay", relayed_items)):
        outcomes = among.run(lambda turn, work=work, items=items: drained(turn, work, items))  # type: ignore[misc]
        found += _ratios(number, outcomes)
    return found


def _ratios(number: str, outcomes: list[Outcome]) -> Iterator[Figure]:
    """Each way of watching over none with mails that were sent the same way, round by round; the median counts."""
    bare, one_by_one, *watched = outcomes
    yield bare.figure("TELEMETRY", f"{number}, worker's CPU without", "worker", "µs/item")
    for one in watched:
        if one.error:
            raise WrongResult(f"{one.contender.name}: {one.error}")
        without = bare if one.contender.bulk else one_by_one
        pairs = zip(one.all("worker"), without.all("worker"), strict=True)
        samples = tuple(watching / bare_cost for watching, bare_cost in pairs)
        yield Figure(
            "TELEMETRY",
            f"{number}, worker's CPU {one.contender.name}",
            statistics.median(samples),
            "ratio",
            "at most 1.10",
            at_most=1.10,
            samples=samples,
        )
