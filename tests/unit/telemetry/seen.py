"""What OpenTelemetry's exporters in memory have seen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from lion_broker.telemetry.later import tell
from lion_broker.telemetry.otel import used

__all__ = ["Seen", "watched"]


@dataclass(frozen=True)
class Seen:
    """Spans and metrics of this process."""

    exporter: InMemorySpanExporter
    reader: InMemoryMetricReader

    @property
    def spans(self) -> list[ReadableSpan]:
        """Every span that has ended, in the order in which they were made."""
        tell()
        return list(self.exporter.get_finished_spans())

    def named(self, beginning: str) -> list[ReadableSpan]:
        """Those whose name begins like that."""
        return [span for span in self.spans if span.name.startswith(beginning)]

    def one(self, beginning: str) -> ReadableSpan:
        """The only one whose name begins like that."""
        (span,) = self.named(beginning)
        return span

    def metrics(self) -> dict[str, Any]:
        """The data points of every metric by its name."""
        tell()
        data = self.reader.get_metrics_data()
        scopes = [scope for resource in data.resource_metrics for scope in resource.scope_metrics] if data else []
        return {metric.name: metric for scope in scopes for metric in scope.metrics}


@contextmanager
def watched() -> Iterator[Seen]:
    """Let this process make spans and metrics for the length of a block."""
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracers = TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    meters = MeterProvider([reader], shutdown_on_exit=False)
    with used(tracers, meters):
        yield Seen(exporter, reader)
    tracers.shutdown()
    meters.shutdown()
