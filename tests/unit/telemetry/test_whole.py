"""Spans that are made in one go are those that OpenTelemetry's tracer would have made."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanLimits, SpanProcessor, Tracer, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, Decision, ParentBased, Sampler, SamplingResult
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    NoOpTracer,
    SpanContext,
    SpanKind,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

from lion_broker.telemetry import made
from lion_broker.telemetry.names import SCHEMA_URL, SCOPE
from lion_broker.telemetry.whole import Whole, _Asking, beginner

ATTRIBUTES = {"messaging.system": "redis", "server.port": 6379}
NOWHERE = Context()


class Choosy(Sampler):
    """Says something of its own, as samplers may."""

    def should_sample(
        self,
        parent_context: Any,
        trace_id: int,
        name: str,
        kind: Any = None,
        attributes: Any = None,
        *_: Any,
        **more: Any,
    ) -> SamplingResult:
        """Want it, and add an attribute and a state."""
        return SamplingResult(
            Decision.RECORD_AND_SAMPLE, {**attributes, "seen": name}, TraceState([("vendor", f"{kind.value}")])
        )

    def get_description(self) -> str:
        """Say what it is."""
        return "choosy"


def parent(flags: int = 1) -> Context:
    """The context of a span elsewhere."""
    return set_span_in_context(NonRecordingSpan(SpanContext(7 << 90, 7, True, TraceFlags(flags))), NOWHERE)


def tracer_of(provider: TracerProvider) -> Tracer:
    """The tracer as the package asks for it."""
    found = provider.get_tracer(SCOPE, "1", schema_url=SCHEMA_URL)
    assert isinstance(found, Tracer)
    return found


def ended_by(one: Any, around: Context, links: Sequence[Link], more: Mapping[str, Any], error: str) -> Whole:
    """A span that was begun and has ended."""
    span: Whole = one.begin("process x", SpanKind.CONSUMER, dict(ATTRIBUTES), around, links, 1.5)
    span.end(more, 2.5, error)
    return span


def shown(span: ReadableSpan) -> Any:
    """Everything that an exporter may know of a span, without the ids that chance has given."""
    told = json.loads(span.to_json())
    assert span.context is not None
    kept = {name: value for name, value in told.items() if name != "context"}
    kept["trace"] = (span.context.trace_id if span.parent else None, span.context.trace_flags, span.context.is_remote)
    kept["state"] = span.context.trace_state.to_header()
    kept["scope"], kept["resource"] = span.instrumentation_scope, span.resource
    kept["dropped"] = (span.dropped_attributes, span.dropped_events, span.dropped_links)
    kept["links"] = [(link.context, dict(link.attributes or {}), link.dropped_attributes) for link in span.links]
    kept["types"] = {name: type(value) for name, value in (span.attributes or {}).items()}
    return kept


@pytest.mark.parametrize("sampler", [None, Choosy(), ParentBased(Choosy())], ids=["usual", "choosy", "parent"])
@pytest.mark.parametrize("around", [NOWHERE, parent()], ids=["root", "child"])
@pytest.mark.parametrize(("links", "more", "error"), [(0, {}, ""), (2, {"messaging.message.id": "m"}, "LookupError")])
def test_they_are_those_of_the_tracer(
    sampler: Sampler | None, around: Context, links: int, more: Mapping[str, Any], error: str
) -> None:
    """Name, kind, trace, parent, times, attributes, links, status, resource and scope."""
    exporter, provider = InMemorySpanExporter(), TracerProvider(sampler=sampler)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = tracer_of(provider)
    fast = beginner(tracer)
    assert type(fast).__module__ == made.__name__
    for one in (fast, _Asking(tracer)):
        ended = ended_by(
            one,
            around,
            [Link(SpanContext(3, number + 1, True), BoundedAttributes()) for number in range(links)],
            more,
            error,
        )
        assert ended.context == exporter.get_finished_spans()[-1].context
    own, usual = exporter.get_finished_spans()
    assert shown(own) == shown(usual)
    assert own.context != usual.context
    provider.shutdown()


@pytest.mark.parametrize("sampler", [ALWAYS_OFF, None], ids=["off", "parent"])
def test_what_nobody_samples_is_not_made(sampler: Sampler | None) -> None:
    """Whoever goes on with its trace hears that it is not sampled; its trace is that of its parent."""
    exporter, provider = InMemorySpanExporter(), TracerProvider(sampler=sampler)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    ended = ended_by(beginner(tracer_of(provider)), parent(flags=0), (), {"a": 1}, "LookupError")
    assert exporter.get_finished_spans() == ()
    assert (ended.context.trace_id, ended.context.trace_flags.sampled, ended.context.is_valid) == (7 << 90, False, True)
    provider.shutdown()


def test_a_batch_takes_them() -> None:
    """With the processor that programs have."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(exporter))
    ended = ended_by(beginner(tracer_of(provider)), NOWHERE, (), {}, "")
    provider.force_flush()
    assert [span.context for span in exporter.get_finished_spans()] == [ended.context]
    provider.shutdown()


class Curious(SpanProcessor):
    """A program's own processor, which adds to each span when it begins."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Add to it."""
        span.set_attribute("mine", True)


def test_a_processor_of_the_program_sees_them_begin() -> None:
    """Also one that is added late: its spans are the tracer's."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    one = beginner(tracer_of(provider))
    ended_by(one, NOWHERE, (), {}, "")
    provider.add_span_processor(Curious())
    ended_by(one, NOWHERE, (), {}, "")
    assert ["mine" in (span.attributes or {}) for span in exporter.get_finished_spans()] == [False, True]
    provider.shutdown()


@pytest.mark.parametrize(
    ("limits", "found"),
    [(SpanLimits(max_span_attributes=1), 1), (SpanLimits(max_span_attribute_length=2), 3)],
    ids=["few", "short"],
)
def test_limits_of_the_program_hold(limits: SpanLimits, found: int) -> None:
    """Then the tracer makes the spans, which knows them."""
    exporter, provider = InMemorySpanExporter(), TracerProvider(span_limits=limits)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    ended_by(beginner(tracer_of(provider)), NOWHERE, (), {"more": "long"}, "")
    (span,) = exporter.get_finished_spans()
    assert len(span.attributes or {}) == found
    assert "long" not in (span.attributes or {}).values() or limits.max_span_attribute_length is None
    provider.shutdown()


def test_the_counts_of_the_sdk_itself_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it counts its own spans, they are begun where it counts."""
    monkeypatch.setenv("OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED", "true")
    provider = TracerProvider()
    assert isinstance(beginner(tracer_of(provider)), _Asking)
    provider.shutdown()


def test_another_library_is_asked() -> None:
    """Whatever implements the API makes its own spans."""
    one = beginner(NoOpTracer())
    assert isinstance(one, _Asking)
    assert not ended_by(one, NOWHERE, (), {"a": 1}, "LookupError").context.is_valid


def test_another_version_of_the_sdk_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """One whose tracer lacks something that is needed."""
    monkeypatch.setattr(made, "_NEEDED", ("sampler.should_sample", "sampler.something_new"))
    provider = TracerProvider()
    assert isinstance(beginner(tracer_of(provider)), _Asking)
    provider.shutdown()
