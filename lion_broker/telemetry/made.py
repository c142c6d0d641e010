"""Spans made past the SDK's tracer. This module imports the SDK, so nobody imports it but `whole`, where it is in use.

A span of the SDK takes what any thread tells it until it ends, with locks, copies and checks for each part. What has
ended when it is told needs none of that: it is handed to the span processors as what they would get at its end. That is
done where all of them are OpenTelemetry's own, which do nothing when a span begins, and where its limits leave out
nothing of ours. All others get their spans from the tracer.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Tracer
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import (
    Link,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    get_current_span,
)

from .whole import NOTHING, Beginner, Whole

__all__ = ["making"]

_NEEDED: Final = (
    "id_generator.is_trace_id_random",
    "instrumentation_info",
    "resource",
    "sampler.should_sample",
    "span_processor._span_processors",
    "_instrumentation_scope",
    "_is_enabled",
    "_span_limits.max_links",
    "_span_limits.max_span_attributes",
    "_span_limits.max_span_attribute_length",
    "_tracer_metrics",
)
"""What is used of a tracer. Some of it is the SDK's own affair: a version that has it otherwise is asked for spans."""
_OWN: Final = (BatchSpanProcessor, SimpleSpanProcessor)
_MOST: Final = 32
"""No span of ours has more attributes or links."""
_UNSET: Final = Status(StatusCode.UNSET)


def making(tracer: object, asking: Beginner) -> Beginner | None:
    """Return what makes spans past the tracer, and leaves to `asking` those that it must; None where that is all."""
    if type(tracer) is not Tracer or not all(_has(tracer, path) for path in _NEEDED):
        return None
    limits = tracer._span_limits
    longest, most = limits.max_span_attribute_length, (limits.max_span_attributes, limits.max_links)
    if longest is not None or any(one is not None and one < _MOST for one in most):
        return None
    if type(tracer._tracer_metrics).__name__ != "NoOpTracerMetrics":
        # It counts the spans that it begins.
        return None
    return _Making(tracer, asking)


def _has(found: object, path: str) -> bool:
    for name in path.split("."):
        if not hasattr(found, name):
            return False
        found = getattr(found, name)
    return True


class _Making:
    """Begins spans of a tracer."""

    def __init__(self, tracer: Tracer, asking: Beginner) -> None:
        self._tracer = tracer
        self._asking = asking
        self._processors: object = None
        self._are_own = False

    def begin(
        self,
        name: str,
        kind: SpanKind,
        attributes: Mapping[str, Any],
        parent: Context | None = None,
        links: Sequence[Link] = (),
        began: float | None = None,
    ) -> Whole:
        """Do as the tracer does, up to where it would make a span."""
        tracer = self._tracer
        processors = tracer.span_processor._span_processors
        if processors is not self._processors:
            # The program may add one at any time.
            self._processors, self._are_own = processors, all(type(one) in _OWN for one in processors)
        if not self._are_own or not tracer._is_enabled():
            return self._asking.begin(name, kind, attributes, parent, links, began)
        before: SpanContext | None = get_current_span(parent).get_span_context()
        ids = tracer.id_generator
        if before is not None and before.is_valid:
            trace, random = before.trace_id, before.trace_flags & TraceFlags.RANDOM_TRACE_ID
        else:
            before, trace = None, ids.generate_trace_id()
            random = TraceFlags.RANDOM_TRACE_ID if ids.is_trace_id_random() else 0
        result = tracer.sampler.should_sample(parent, trace, name, kind, attributes, links)
        wanted = result.decision is Decision.RECORD_AND_SAMPLE
        flags = TraceFlags((TraceFlags.SAMPLED if wanted else 0) | random)
        context = SpanContext(trace, ids.generate_span_id(), False, flags, result.trace_state)
        if not wanted:
            return _Unwanted(context)
        start_time = time.time_ns() if began is None else int(began * 1e9)
        return _Made(tracer, context, name, before, result.attributes, links, kind, start_time)


class _Made:
    """A span that is made when it ends."""

    __slots__ = ("_attributes", "_began", "_kind", "_links", "_name", "_parent", "_tracer", "context")

    def __init__(
        self,
        tracer: Tracer,
        context: SpanContext,
        name: str,
        parent: SpanContext | None,
        attributes: Mapping[str, Any],
        links: Sequence[Link],
        kind: SpanKind,
        began: int,
    ) -> None:
        self._tracer, self.context = tracer, context
        self._name, self._parent, self._kind = name, parent, kind
        self._attributes, self._links, self._began = attributes, links, began

    def end(self, attributes: Mapping[str, Any] = NOTHING, ended: float | None = None, error: str = "") -> None:
        """Make it, and hand it to the processors."""
        tracer, told = self._tracer, self._attributes
        if error:
            told = {**told, **attributes, "error.type": error}
        elif attributes:
            told = {**told, **attributes}
        tracer.span_processor.on_end(
            ReadableSpan(
                self._name,
                self.context,
                self._parent,
                tracer.resource,
                told,
                (),
                self._links,
                self._kind,
                tracer.instrumentation_info,
                Status(StatusCode.ERROR, error) if error else _UNSET,
                self._began,
                time.time_ns() if ended is None else int(ended * 1e9),
                tracer._instrumentation_scope,
            )
        )


class _Unwanted:
    """A span that the sampler does not want; whoever goes on with its trace hears of that."""

    __slots__ = ("context",)

    def __init__(self, context: SpanContext) -> None:
        self.context = context

    def end(self, attributes: Mapping[str, Any] = NOTHING, ended: float | None = None, error: str = "") -> None:
        """Do nothing."""
