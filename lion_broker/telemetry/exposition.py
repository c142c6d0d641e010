"""Metrics as the text that Prometheus scrapes: in its own format, or in OpenMetrics for who prefers that."""

from __future__ import annotations

import platform
import re
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from lion_broker.errors import ConfigError

from .counts import Family, Sample, counting, readable_label
from .names import DEFINITIONS

if TYPE_CHECKING:
    from prometheus_client import Metric

__all__ = ["CONTENT_TYPE", "Source", "check_prometheus", "gauge", "metrics_page", "metrics_text", "prefers_openmetrics"]

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_OPENMETRICS: Final = "1.0.0"
_QUALITY: Final = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")
_LONGEST_ACCEPT: Final = 4096

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
    text, _ = metrics_page("", *sources)
    return text


def metrics_page(accept: str, *sources: Source) -> tuple[bytes, str]:
    """Return the same in the format that somebody prefers by an Accept header, and the type that the text is of.

    That is OpenMetrics 1.0 for who asks for it, such as Prometheus, and else Prometheus' own.
    """
    check_prometheus()
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.openmetrics import exposition as openmetrics
    from prometheus_client.process_collector import ProcessCollector

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Once([*counting().families(), _build(), *(one for source in sources for one in source())]))
    ProcessCollector(registry=registry)
    if prefers_openmetrics(accept):
        write: Any = openmetrics.generate_latest
        return write(registry), openmetrics.CONTENT_TYPE_LATEST
    return generate_latest(registry), CONTENT_TYPE


def prefers_openmetrics(accept: str) -> bool:
    """Whether an Accept header prefers OpenMetrics 1.0 to plain text; what cannot be read of it counts for nothing."""
    best = {"application/openmetrics-text": 0.0, "text/plain": 0.0}
    for one in accept[:_LONGEST_ACCEPT].split(","):
        kind, *parts = (part.strip().lower() for part in one.split(";"))
        said = {name.strip(): value.strip() for name, _, value in (part.partition("=") for part in parts)}
        fits = kind == "text/plain" or said.get("version", _OPENMETRICS) == _OPENMETRICS
        quality = _QUALITY.fullmatch(said.get("q", "1"))
        if kind in best and fits and quality is not None:
            best[kind] = max(best[kind], float(quality[0]))
    return best["application/openmetrics-text"] > 0 and best["application/openmetrics-text"] >= best["text/plain"]


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
