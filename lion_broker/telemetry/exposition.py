"""Metrics as the text that Prometheus scrapes."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from lion_broker.errors import ConfigError

from .counts import Family, Sample, counting, readable_label
from .names import DEFINITIONS

if TYPE_CHECKING:
    from prometheus_client import Metric

__all__ = ["CONTENT_TYPE", "Source", "check_prometheus", "gauge", "metrics_text"]

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

Source = Callable[[], Iterable[Family]]
"""Where metrics come from: asked at every scrape."""


def gauge(name: str, *samples: tuple[float, tuple[str, ...]]) -> Family:
    """Return a gauge as it stands now: values with their labels."""
    return Family(DEFINITIONS[name], tuple(Sample(labels, value) for value, labels in samples))


def check_prometheus() -> None:
    """Raise ConfigError, with what to install, where the library that writes the text is missing."""
    try:
        import prometheus_client  # noqa: F401
    except ImportError:
        raise ConfigError(
            "Metrics for Prometheus need one more package: pip install 'lion-broker[telemetry]'"
        ) from None


def metrics_text(*sources: Source) -> bytes:
    """Return what this process has counted, and what the sources say, as text in Prometheus' format.

    This process counts from the first call on. Raises ConfigError where prometheus-client is not installed.
    """
    check_prometheus()
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.process_collector import ProcessCollector

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Once([*counting().families(), _build(), *(one for source in sources for one in source())]))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


class _Once:
    """The families of one scrape, for prometheus-client."""

    def __init__(self, families: list[Family]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        """Return them in its form."""
        return (_metric_of(family) for family in self._families if family.samples)


def _metric_of(family: Family) -> Metric:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    metric = family.metric
    kinds: dict[str, Any] = {
        "counter": CounterMetricFamily,
        "gauge": GaugeMetricFamily,
        "histogram": HistogramMetricFamily,
    }
    made: Any = kinds[metric.kind](metric.name, metric.text, labels=_named(family))
    for sample in family.samples:
        labels = [readable_label(label) for label in sample.labels]
        if metric.kind == "histogram":
            made.add_metric(labels, buckets=list(_cumulated(metric.buckets, sample.counts)), sum_value=sample.value)
        else:
            made.add_metric(labels, sample.value)
    shown: Metric = made
    return shown


def _named(family: Family) -> tuple[str, ...]:
    """The labels that the samples have: those of a sum over all branches are left out."""
    return family.metric.labels if family.samples[0].labels else ()


def _cumulated(bounds: tuple[float, ...], counts: tuple[int, ...]) -> Iterator[tuple[str, int]]:
    total = 0
    for bound, count in zip((*bounds, float("inf")), counts, strict=True):
        total += count
        yield ("+Inf" if bound == float("inf") else f"{bound:g}"), total


def _build() -> Family:
    return gauge("lion_broker_build_info", (1, (version("lion-broker"), platform.python_version())))
