"""OpenTelemetry, where this process uses it: found when it is there, and otherwise neither imported nor paid for.

A process whose program, or `opentelemetry-instrument`, has set up a provider has imported OpenTelemetry by then.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from lion_broker.config import otel_is_named
from lion_broker.errors import ConfigError

from . import logger
from .names import SCHEMA_URL, SCOPE

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

    from .tracing import Otel

__all__ = ["conversation_of", "otel", "used"]

log = logger("telemetry")

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
    return traces is None or (
        getattr(traces, "_TRACER_PROVIDER", _UNKNOWN) is None
        and getattr(meters, "_METER_PROVIDER", None if meters is None else _UNKNOWN) is None
        and not otel_is_named()
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


def conversation_of(session: str) -> dict[str, str]:
    """Return the attributes that say to which session a span belongs."""
    return {"gen_ai.conversation.id": str(session), "session.id": str(session)} if session else {}


def _activate(tracers: TracerProvider, meters: MeterProvider) -> Otel:
    global _active, _watching
    from .act_spans import ActSpans
    from .acts import watch
    from .tracing import Otel, Values

    parents, content = _settings()
    release = version("lion-broker")
    values = Values(meters.get_meter(SCOPE, release, schema_url=SCHEMA_URL))
    _active = Otel(tracers.get_tracer(SCOPE, release, schema_url=SCHEMA_URL), values, parents, content)
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
