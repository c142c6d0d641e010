"""What this process has counted since it began: cheap to count while it works, read as a whole by whoever scrapes it.

Nothing is counted until somebody wants to read it (`counting`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

from .act_counts import ActCounts
from .acts import watch
from .names import DEFINITIONS, Definition

__all__ = ["Counts", "Family", "Sample", "counting", "counts_here", "readable_label"]

Labels = tuple[str, ...]

_MOST_LABELS: Final = 200
"""Sets of labels of one metric; what comes after them is counted under `other`."""
_LONGEST_LABEL: Final = 100


@dataclass(frozen=True, slots=True)
class Sample:
    """A value with its labels, in the order of the metric's; of a histogram `counts` are those of each bucket."""

    labels: Labels
    value: float
    counts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Family:
    """A metric with everything that is known of it now."""

    metric: Definition
    samples: tuple[Sample, ...]


@dataclass(slots=True)
class _Spread:
    """A histogram: how often a value fell into each bucket (the last is for all that are larger), and their sum."""

    counts: list[int]
    sum: float = 0.0


@dataclass(slots=True)
class Counts:
    """Counters and histograms by name and labels. Safe from several threads."""

    _counters: dict[str, dict[Labels, float]] = field(default_factory=dict)
    _spreads: dict[str, dict[Labels, _Spread]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def add(self, name: str, amount: float = 1, *labels: str) -> None:
        """Count something so many times."""
        with self._lock:
            of_name = self._counters.setdefault(name, {})
            if labels not in of_name:
                labels = _bounded(labels, of_name)
            of_name[labels] = of_name.get(labels, 0.0) + amount

    def observe(self, name: str, value: float, *labels: str, times: int = 1) -> None:
        """Note a value of a histogram, so many times."""
        with self._lock:
            spread = self._spread(name, labels)
            spread.counts[bisect_left(DEFINITIONS[name].buckets, value)] += times
            spread.sum += value * times

    def observe_all(self, name: str, values: Sequence[float]) -> None:
        """Note values of a histogram without labels, in one go."""
        buckets = DEFINITIONS[name].buckets
        with self._lock:
            spread = self._spread(name, ())
            counts = spread.counts
            for value in values:
                counts[bisect_left(buckets, value)] += 1
            spread.sum += sum(values)

    def _spread(self, name: str, labels: Labels) -> _Spread:
        of_name = self._spreads.setdefault(name, {})
        if labels not in of_name:
            labels = _bounded(labels, of_name)
        spread = of_name.get(labels)
        if spread is None:
            spread = of_name[labels] = _Spread([0] * (len(DEFINITIONS[name].buckets) + 1))
        return spread

    def total(self, name: str, *labels: str) -> float:
        """Return what a counter has come to."""
        with self._lock:
            return self._counters.get(name, {}).get(labels, 0.0)

    def families(self) -> Iterator[Family]:
        """Return everything that has been counted; metrics without labels begin at 0."""
        with self._lock:
            counters = {name: dict(rows) for name, rows in self._counters.items()}
            spreads = {
                name: {labels: (tuple(one.counts), one.sum) for labels, one in rows.items()}
                for name, rows in self._spreads.items()
            }
        for name, metric in DEFINITIONS.items():
            if metric.kind == "counter":
                values = counters.get(name) or ({} if metric.labels else {(): 0.0})
                yield Family(metric, tuple(Sample(labels, value) for labels, value in values.items()))
            elif metric.kind == "histogram":
                empty = {} if metric.labels else {(): ((0,) * (len(metric.buckets) + 1), 0.0)}
                rows = spreads.get(name) or empty
                yield Family(metric, tuple(Sample(labels, sum_, counts) for labels, (counts, sum_) in rows.items()))


def _bounded(labels: Labels, known: Mapping[Labels, object]) -> Labels:
    """The labels as they are counted: readable, and `other` when there are too many already."""
    clean = tuple(readable_label(label) for label in labels)
    return clean if clean in known or len(known) < _MOST_LABELS else ("other",) * len(labels)


def readable_label(text: str) -> str:
    """Return a text as a label: characters that cannot be printed become `?`, and it ends after 100 characters."""
    return "".join(one if one.isprintable() else "?" for one in text[:_LONGEST_LABEL])


_counts: Counts | None = None


def counts_here() -> Counts | None:
    """Return what this process counts with; None when nobody reads it."""
    return _counts


def counting() -> Counts:
    """Begin to count, if nobody has yet, and return what this process counts with."""
    global _counts
    if _counts is None:
        _counts = Counts()
        watch(ActCounts(_counts))
    return _counts
