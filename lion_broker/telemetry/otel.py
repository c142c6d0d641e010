"""OpenTelemetry, where this process uses it: found when it is there, and otherwise neither imported nor paid for.

A process whose program, or `opentelemetry-instrument`, has set up a provider has imported OpenTelemetry by then.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from lion_broker.errors import ConfigError

from . import logger
from .names import INSTRUMENTS, SCHEMA_URL, SCOPE

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.metrics import CallbackOptions, Histogram, Meter, MeterProvider, Observation
    from opentelemetry.trace import Span, Tracer, TracerProvider

__all__ = ["Otel", "conversation_of", "fail", "in_context", "mark_failed", "otel", "used"]

log = logger("telemetry")

_FIELDS: Final = ("traceparent", "tracestate", "baggage")
"""What a mail carries of a context; other propagators' headers have no place in it."""
_LONGEST: Final = 512


@dataclass(slots=True)
class Otel:
    """What spans and metrics are made with; `parents` and `content` as the settings say."""

    tracer: Tracer
    histograms: Mapping[str, Histogram]
    parents: bool
    content: bool
    counts: dict[str, int] = field(default_factory=dict)

    def count(self, name: str, amount: int) -> None:
        """Count messages; they are reported when the metrics are read, which is cheaper than to report each."""
        self.counts[name] = self.counts.get(name, 0) + amount

    def record(self, name: str, value: float, attributes: Mapping[str, Any]) -> None:
        """Note a value of a histogram."""
        self.histograms[name].record(value, attributes)

    def carried(self, context: Context | None = None) -> dict[str, Any]:
        """Return what a mail carries of a context, None being the current one."""
        from opentelemetry import propagate

        carrier: dict[str, str] = {}
        propagate.inject(carrier, context)
        return {name: text for name in _FIELDS if (text := carrier.get(name)) and len(text) <= _LONGEST}


_UNKNOWN: Final = object()
_active: Otel | None = None
_watching = False


def otel() -> Otel | None:
    """Return what spans and metrics are made with; None where no provider was set up."""
    if _active is not None or _nobody_has_set_it_up():
        return _active
    from opentelemetry import metrics, trace

    if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider) and not _has_meters():
        return None
    return _activate(trace.get_tracer_provider(), metrics.get_meter_provider())


def _nobody_has_set_it_up() -> bool:
    """Whether there can be no provider, by where OpenTelemetry keeps it: to ask for it takes half of a `send`.

    These names are its own affair; where there are none, it is asked.
    """
    traces, meters = sys.modules.get("opentelemetry.trace"), sys.modules.get("opentelemetry.metrics._internal")
    if traces is None:
        return True
    return (
        getattr(traces, "_TRACER_PROVIDER", _UNKNOWN) is None
        and getattr(meters, "_METER_PROVIDER", None if meters is None else _UNKNOWN) is None
    )


@contextmanager
def used(tracer_provider: TracerProvider, meter_provider: MeterProvider) -> Iterator[None]:
    """Use these providers in place of the global ones for the length of a block."""
    global _active
    before, _active = _active, None
    _activate(tracer_provider, meter_provider)
    try:
        yield
    finally:
        _active = before


def in_context(span: Span) -> Context:
    """Return the current context with a span in it."""
    from opentelemetry.trace import set_span_in_context

    return set_span_in_context(span)


def fail(span: Span, error: BaseException) -> str:
    """Note that what a span stands for has failed; returns how. What the error says may be content, and stays out."""
    name = type(error).__name__
    mark_failed(span, name)
    return name


def mark_failed(span: Span, name: str) -> None:
    """Note on a span that what it stands for has failed with an error of a class."""
    from opentelemetry.trace import Status, StatusCode

    span.set_status(Status(StatusCode.ERROR, name))
    span.set_attribute("error.type", name)


def conversation_of(session: str) -> dict[str, str]:
    """Return the attributes that say to which session a span belongs."""
    return {"gen_ai.conversation.id": session, "session.id": session} if session else {}


def _activate(tracers: TracerProvider, meters: MeterProvider) -> Otel:
    global _active, _watching
    from .act_spans import ActSpans
    from .acts import watch

    parents, content = _settings()
    release = version("lion-broker")
    counts: dict[str, int] = {}
    histograms = _instruments(meters.get_meter(SCOPE, release, schema_url=SCHEMA_URL), counts)
    _active = Otel(tracers.get_tracer(SCOPE, release, schema_url=SCHEMA_URL), histograms, parents, content, counts)
    if not _watching:
        watch(ActSpans())
        _watching = True
    return _active


def _settings() -> tuple[bool, bool]:
    from lion_broker.config import Settings

    try:
        settings = Settings.load()
    except ConfigError as error:
        # Whoever needs the settings for more than this raises it.
        log.warning("spans are made as without settings: %s", error)
        settings = Settings.load({})
    return settings.otel_parent == "parent", settings.otel_content


def _has_meters() -> bool:
    from opentelemetry import metrics

    # The class of the provider that stands for none yet has no public name.
    return type(metrics.get_meter_provider()).__name__ != "_ProxyMeterProvider"


def _instruments(meter: Meter, counts: dict[str, int]) -> dict[str, Histogram]:
    histograms = {}
    for name, one in INSTRUMENTS.items():
        if one.buckets:
            histograms[name] = meter.create_histogram(
                name, one.unit, one.text, explicit_bucket_boundaries_advisory=list(one.buckets)
            )
        else:
            meter.create_observable_counter(name, [_reader(name, counts)], one.unit, one.text)
    return histograms


def _reader(name: str, counts: dict[str, int]) -> Any:
    from opentelemetry.metrics import Observation

    from .names import SYSTEM, TEMPLATE

    operation = "send" if "sent" in name else "receive"
    attributes = {
        "messaging.system": SYSTEM,
        "messaging.operation.name": operation,
        "messaging.destination.template": TEMPLATE,
    }

    def read(options: CallbackOptions) -> Iterator[Observation]:
        if name in counts:
            yield Observation(counts[name], attributes)

    return read
