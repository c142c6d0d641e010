"""lion-broker with telemetry on: OpenTelemetry's SDK with a batch processor, or the counts that Prometheus scrapes."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.request import urlopen

from .lion import Lion
from .program import main

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.trace import TracerProvider

SCRAPE_SECONDS = 1.0


class Observed(Lion):
    """The variant says what is on: `otel`, or `prometheus`."""

    settings = f"{Lion.settings}, telemetry on"

    def __init__(self, url: str, variant: str) -> None:
        super().__init__(url, variant)
        {"otel": use_opentelemetry, "prometheus": _be_scraped}[variant]()


def providers() -> tuple[TracerProvider, MeterProvider]:
    """Make spans and metrics, batch them as in production, and throw them away where they would be sent."""
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

    class Nowhere(SpanExporter):
        """Takes spans and keeps none."""

        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            """Say that all is well."""
            return SpanExportResult.SUCCESS

    tracers = TracerProvider()
    tracers.add_span_processor(BatchSpanProcessor(Nowhere()))
    return tracers, MeterProvider([InMemoryMetricReader()])


def use_opentelemetry() -> None:
    """Let this process have such providers."""
    from opentelemetry import metrics, trace

    from lion_broker.telemetry.otel import otel

    tracers, meters = providers()
    trace.set_tracer_provider(tracers)
    metrics.set_meter_provider(meters)
    # A process finds them once; what is measured is what each mail costs.
    otel()


def _be_scraped() -> None:
    """Count, and have somebody ask each second for what was counted."""
    from lion_broker.telemetry.counts import counting
    from lion_broker.telemetry.exposition import metrics_text
    from lion_broker.telemetry.port import Page, Port

    counting()
    port = Port(("127.0.0.1", 0), {"/metrics": lambda accept: Page(metrics_text())}, "benchmark")

    def scrape() -> None:
        while True:
            urlopen(f"{port.url}/metrics").read()  # noqa: S310 - our own port
            time.sleep(SCRAPE_SECONDS)

    threading.Thread(target=scrape, daemon=True).start()


if __name__ == "__main__":
    main(Observed)
