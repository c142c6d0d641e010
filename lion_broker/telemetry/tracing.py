"""What spans and metrics are made with. This module imports OpenTelemetry, so nobody imports it but `otel`."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, Protocol

from opentelemetry import baggage as baggages
from opentelemetry import propagate
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.context import Context, attach, get_current
from opentelemetry.metrics import CallbackOptions, Histogram, Meter, Observation
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    get_current_span,
    set_span_in_context,
)

from .names import INSTRUMENTS, SYSTEM, TEMPLATE
from .whole import Beginner, Whole, beginner

__all__ = ["Carrier", "Otel", "Values"]

_LONGEST: Final = 512
"""Characters that a header takes of each field."""
_TRACEPARENT: Final = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_KINDS: Final = {kind.name: kind for kind in SpanKind}
_NOWHERE: Final = Context()
_NO_ATTRIBUTES: Final = BoundedAttributes()
"""Those of a link, as the SDK has them: what is made past its tracer is as what the tracer makes."""
_MOST_VALUES: Final = 32
"""Values that wait to be recorded."""


class Carrier(Protocol):
    """What carries a context from process to process: the header of a mail."""

    @property
    def id(self) -> str:
        """The id of the mail."""

    @property
    def traceparent(self) -> str | None:
        """The span that sent it."""

    @property
    def tracestate(self) -> str | None:
        """What vendors say of its trace."""

    @property
    def baggage(self) -> str | None:
        """What the sender's context says to all who come after."""


@dataclass(slots=True)
class Otel:
    """Makes spans and metrics; `parents` and `content` are as the settings say."""

    tracer: Tracer
    values: Values
    parents: bool
    content: bool
    _beginner: Beginner = field(init=False)

    def __post_init__(self) -> None:
        self._beginner = beginner(self.tracer)

    def count(self, name: str, amount: int) -> None:
        """Count messages; they are reported when the metrics are read, which is cheaper than to report each."""
        counts = self.values.counts
        counts[name] = counts.get(name, 0) + amount

    def record(self, name: str, value: float, attributes: Mapping[str, Any]) -> None:
        """Note a value of a histogram; nobody changes the attributes afterwards."""
        self.values.note(name, value, attributes)

    def start(
        self,
        name: str,
        kind: str,
        attributes: Mapping[str, Any],
        parent: Context | None = None,
        links: Sequence[Link] = (),
        began: float | None = None,
    ) -> Span:
        """Begin a span, of the current context without a parent; `began` is in seconds since the epoch, else now."""
        start_time = None if began is None else int(began * 1e9)
        return self.tracer.start_span(name, parent, _KINDS[kind], attributes, links, start_time)

    def begin(
        self,
        name: str,
        kind: str,
        attributes: Mapping[str, Any],
        parent: Context | None = None,
        links: Sequence[Link] = (),
        began: float | None = None,
    ) -> Whole:
        """Begin a span that is never the current one and that nobody else adds to, which costs less than `start`."""
        return self._beginner.begin(name, _KINDS[kind], attributes, parent, links, began)

    def with_span(self, span: Span, context: Context | None = None) -> Context:
        """Return a context, None being the current one, with a span in it."""
        return set_span_in_context(span, context)

    def enter(self, context: Context) -> Context:
        """Make a context the current one of this task; returns the one before, to be entered afterwards."""
        before = get_current()
        attach(context)
        return before

    def is_current(self, span: Span) -> bool:
        """Whether a span is the current one of this task."""
        return get_current_span() is span

    def carried(self, sent: SpanContext) -> dict[str, Any]:
        """Return what a mail carries of a span, and of the current context's baggage: W3C's fields."""
        if not sent.is_valid:
            return {}
        carried = {"traceparent": f"00-{sent.trace_id:032x}-{sent.span_id:016x}-{sent.trace_flags:02x}"}
        further = {}
        if sent.trace_state:
            further["tracestate"] = sent.trace_state.to_header()
        if baggages.get_all():
            known: dict[str, str] = {}
            propagate.inject(known)
            further["baggage"] = known.get("baggage", "")
        return carried | {name: text for name, text in further.items() if 0 < len(text) <= _LONGEST}

    def sent_in(self, mail: Carrier) -> Context:
        """Return the context that a mail carries; an empty one where that is nothing, or nonsense."""
        return _context(mail)

    def begun_by(self, mails: Collection[Carrier]) -> Context:
        """Return the context to go on with: that of the only sender, or an empty one, which begins a trace."""
        return _context(next(iter(mails))) if self.parents and len(mails) == 1 else _NOWHERE

    def links(self, mails: Iterable[Carrier]) -> list[Link]:
        """Return links to the spans that have sent mails, as far as these say so."""
        return [Link(sender, _NO_ATTRIBUTES) for mail in mails if (sender := _sender(mail)).is_valid]

    def fail(self, span: Span, error: BaseException | str) -> str:
        """Note that what a span stands for has failed; returns the class of the error, all that is said of it."""
        name = error if isinstance(error, str) else type(error).__name__
        span.set_status(Status(StatusCode.ERROR, name))
        span.set_attribute("error.type", name)
        return name


def _context(mail: Carrier) -> Context:
    """The context that a mail was sent in, as far as it says."""
    usual = None if mail.tracestate or mail.baggage else _usual_context(mail.traceparent or "")
    return usual if usual is not None else _unusual(mail)


def _sender(mail: Carrier) -> SpanContext:
    """The span that has sent a mail, as far as it says; a link needs no more, and of a turn's mails many have one."""
    usual = None if mail.tracestate or mail.baggage else _usual(mail.traceparent or "")
    return usual if usual is not None else get_current_span(_unusual(mail)).get_span_context()


def _unusual(mail: Carrier) -> Context:
    fields = {"traceparent": mail.traceparent, "tracestate": mail.tracestate, "baggage": mail.baggage}
    return propagate.extract({name: text for name, text in fields.items() if text}, _NOWHERE)


@lru_cache(maxsize=256)
def _usual(traceparent: str) -> SpanContext | None:
    """The span that a usual `traceparent` names; None for one to be read with care. It is asked for twice a turn."""
    usual = _TRACEPARENT.fullmatch(traceparent)
    if usual is None:
        return None
    return SpanContext(int(usual[1], 16), int(usual[2], 16), True, TraceFlags(int(usual[3], 16)))


@lru_cache(maxsize=256)
def _usual_context(traceparent: str) -> Context | None:
    """The context that a usual `traceparent` stands for; of mail that was sent apart, turn by turn, one in a turn."""
    sender = _usual(traceparent)
    if sender is None:
        return None
    return set_span_in_context(NonRecordingSpan(sender), _NOWHERE) if sender.is_valid else _NOWHERE


class Values:
    """What metrics say: `counts` of messages, and values of histograms, recorded in bulk or when the metrics are read.

    To record each by itself would be cold code each time (`later`).
    """

    def __init__(self, meter: Meter) -> None:
        self.counts: dict[str, int] = {}
        self._waiting: deque[tuple[str, float, Mapping[str, Any]]] = deque()
        self._histograms: dict[str, Histogram] = {}
        for name, one in INSTRUMENTS.items():
            if one.buckets:
                self._histograms[name] = meter.create_histogram(
                    name, one.unit, one.text, explicit_bucket_boundaries_advisory=list(one.buckets)
                )
            else:
                meter.create_observable_counter(name, [_reader(name, self)], one.unit, one.text)

    def note(self, name: str, value: float, attributes: Mapping[str, Any]) -> None:
        """Note a value of a histogram."""
        self._waiting.append((name, value, attributes))
        if len(self._waiting) >= _MOST_VALUES:
            self.record()

    def record(self) -> None:
        """Record what was noted."""
        waiting = self._waiting
        while waiting:
            try:
                name, value, attributes = waiting.popleft()
            except IndexError:  # another thread records the same
                return
            self._histograms[name].record(value, attributes)


def _reader(name: str, values: Values) -> Callable[[CallbackOptions], Iterator[Observation]]:
    attributes = {
        "messaging.system": SYSTEM,
        "messaging.operation.name": "send" if "sent" in name else "receive",
        "messaging.destination.template": TEMPLATE,
    }

    def read(options: CallbackOptions) -> Iterator[Observation]:
        # Whoever reads the metrics asks for this before looking at the histograms.
        values.record()
        if name in values.counts:
            yield Observation(values.counts[name], attributes)

    return read
