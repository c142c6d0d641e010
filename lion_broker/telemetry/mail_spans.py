"""Spans of mail on its way; without a provider of OpenTelemetry every function here does next to nothing."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urlsplit

from .counts import counts_here
from .names import SYSTEM, TEMPLATE
from .otel import Otel, fail, in_context, mark_failed, otel

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Link, Span

__all__ = [
    "Carrier", "Mailboxes", "Processing", "Sending", "Together", "count_sent", "handed_in", "outgoing", "process",
    "receive", "settle",
]  # fmt: skip

_MOST_LINKS: Final = 32
"""Links of one span; a batch may come from more traces."""
_GROUP: Final = "workers"


class Mailboxes(Protocol):
    """What is to be known of an exchange: where it is, and the key of a branch's mailbox."""

    url: str

    def mailbox(self, session: str, branch: str) -> str:
        """Return the key."""


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


class Sending:
    """The sending of a mail: `carried` are the fields of its header; `end` it when it has gone, or could not go."""

    __slots__ = ("_began", "_otel", "_span", "carried")

    def __init__(self, carried: dict[str, Any], used: Otel | None = None, span: Span | None = None) -> None:
        self.carried = carried
        self._otel = used
        self._span = span
        self._began = time.perf_counter()

    @contextmanager
    def posting(self) -> Iterator[None]:
        """Within this, the mail goes to the server; it has gone at the end. The span is not current meanwhile."""
        try:
            yield
        except BaseException as error:
            self.end(error, posted=True)
            raise
        self.end(posted=True)

    def end(self, error: BaseException | None = None, *, posted: bool = False) -> None:
        """Note that it has gone, or why not; `posted` says that it went to the server meanwhile."""
        if self._span is None or self._otel is None:
            return
        if error is not None:
            fail(self._span, error)
        self._span.end()
        if posted:
            failed = {} if error is None else {"error.type": type(error).__name__}
            self._otel.record(
                "messaging.client.operation.duration",
                time.perf_counter() - self._began,
                _metric_attributes("send") | failed,
            )


_NOTHING: Final = Sending({})


class Together:
    """One `send` span for all mail that is sent between `begin` and `end`; made with the first of them."""

    def __init__(self) -> None:
        self.carried: dict[str, Any] | None = None
        self._span: Span | None = None
        self._mails = 0
        self._outer: Together | None = None

    def begin(self) -> None:
        """From now on mail that is sent in this task shares the span."""
        self._outer = _together.get()
        _together.set(self)

    def end(self) -> None:
        """Share it no longer."""
        if _together.get() is self:
            _together.set(self._outer)
        if self._span is not None:
            self._span.set_attribute("messaging.batch.message_count", self._mails)
            self._span.end()
            self._span = None

    def carry(self, used: Otel, exchange: Mailboxes, session: str) -> dict[str, Any]:
        """Return what one more mail carries."""
        self._mails += 1
        if self.carried is None:
            self._span = _send_span(used, _of_session(exchange, session))
            self.carried = used.carried(in_context(self._span))
        return self.carried


_together: ContextVar[Together | None] = ContextVar("lion_broker_sent_together", default=None)


def outgoing(exchange: Mailboxes, session: str, recipient: str, mail: str) -> Sending:
    """Begin to send a mail; its header takes what the sending carries."""
    used = otel()
    if used is None:
        return _NOTHING
    together = _together.get()
    if together is not None:
        return Sending(together.carry(used, exchange, session))
    attributes = _of_session(exchange, session) | {
        "messaging.destination.name": exchange.mailbox(session, recipient),
        "messaging.message.id": mail,
    }
    span = _send_span(used, attributes)
    return Sending(used.carried(in_context(span)), used, span)


def handed_in(exchange: Mailboxes, session: str, recipient: str, mail: str) -> dict[str, Any]:
    """Return what the header of a mail carries that goes with the next commit or post, and counts as sent by now."""
    sending = outgoing(exchange, session, recipient, mail)
    sending.end()
    return sending.carried


def count_sent(categories: Iterable[str]) -> None:
    """Count mails, by their categories, that the exchange has accepted."""
    counts, used = counts_here(), otel()
    if counts is None and used is None:
        return
    for category, mails in Counter(categories).items():
        if counts is not None:
            counts.add("lion_broker_mails_sent_total", mails, category)
        if used is not None:
            used.count("messaging.client.sent.messages", mails)


class Processing:
    """The handling of one mail, or of several in one span: `enter` and `leave` it as often as it is gone on with."""

    __slots__ = ("_before", "_began", "_links", "_mails", "_otel", "_span", "context")

    def __init__(self, used: Otel, span: Span, context: Context, mails: int, links: set[str]) -> None:
        self._otel, self._span, self._mails, self._links = used, span, mails, links
        self._began = time.perf_counter()
        self._before: Context | None = None
        self.context = context

    def joins(self, mail: Carrier) -> None:
        """One more mail is handled in it."""
        self._mails += 1
        sender = mail.traceparent
        if sender is None or sender in self._links or len(self._links) >= _MOST_LINKS:
            return
        self._links.add(sender)
        if (link := _link(_sent_in(mail))) is not None:
            self._span.add_link(link.context)

    def enter(self) -> None:
        """Make it the current span of this task."""
        from opentelemetry.context import attach, get_current

        self._before = get_current()
        attach(self.context)

    def leave(self) -> None:
        """Make that current again which was before."""
        from opentelemetry.context import attach

        if self._before is not None:
            attach(self._before)

    def end(self, error: str = "") -> None:
        """End it; `error` is the class of what the handling has raised."""
        attributes = _metric_attributes("process")
        if self._mails > 1:
            self._span.set_attribute("messaging.batch.message_count", self._mails)
        if error:
            mark_failed(self._span, error)
            attributes = attributes | {"error.type": error}
        self._span.end()
        self._otel.record("messaging.process.duration", time.perf_counter() - self._began, attributes)


def process(
    exchange: Mailboxes,
    session: str,
    branch: str,
    owner: str,
    mails: Sequence[Carrier],
    *,
    count: int = 1,
    shared: bool = False,
) -> Processing | None:
    """Begin to handle mails, `count` of them, and with `shared` others that come later; None without a provider.

    The span links to those that sent the mails. When that was one span, it goes on with its trace, unless the settings
    want links only. What is current in the task that serves a branch has nothing to do with the mail.
    """
    used = otel()
    if used is None:
        return None
    from opentelemetry.trace import SpanKind, set_span_in_context

    senders = _of_different_spans(mails)
    contexts = [_sent_in(mail) for mail in senders]
    links = [link for context in contexts if (link := _link(context)) is not None]
    attributes = _of_session(exchange, session) | {
        **_operation("process", "process"),
        "messaging.destination.name": exchange.mailbox(session, branch),
        "messaging.consumer.group.name": _GROUP,
        "messaging.client.id": owner,
    }
    if count == 1 and not shared and mails:
        attributes["messaging.message.id"] = mails[0].id
    parent = _begun_by(used, contexts)
    span = used.tracer.start_span(f"process {TEMPLATE}", parent, SpanKind.CONSUMER, attributes, links)
    known = {one.traceparent for one in senders if one.traceparent is not None}
    return Processing(used, span, set_span_in_context(span, parent), count, known)


def receive(
    exchange: Mailboxes, session: str, branch: str, owner: str, mails: Sequence[Carrier], count: int, began: float
) -> None:
    """Note that mails were received; `began` is when they were asked for, in seconds since the epoch.

    What comes with the answer to a commit was not asked for, and has no span: `began` is 0.
    """
    used = otel()
    if used is None:
        return
    used.count("messaging.client.consumed.messages", count)
    if not began:
        return
    attributes = _of_session(exchange, session) | {
        **_operation("receive", "receive"),
        "messaging.destination.name": exchange.mailbox(session, branch),
        "messaging.consumer.group.name": _GROUP,
        "messaging.client.id": owner,
        "messaging.batch.message_count": count,
    }
    parent = _begun_by(used, [_sent_in(mail) for mail in _of_different_spans(mails, 2)])
    span = used.tracer.start_span(
        f"receive {TEMPLATE}", parent, _client_kind(), attributes, start_time=int(began * 1e9)
    )
    span.end()
    duration = max(0.0, time.time() - began)
    used.record("messaging.client.operation.duration", duration, _metric_attributes("receive"))


def settle(
    word: str, exchange: Mailboxes, session: str, branch: str, mail: Carrier | None, context: Context | None, error: str
) -> None:
    """Note that a mail was not applied but put elsewhere: `word` is `dead_letter` or `nack`."""
    used = otel()
    if used is None:
        return
    attributes = _of_session(exchange, session) | {
        **_operation(word, "settle"),
        "messaging.destination.name": exchange.mailbox(session, branch),
        "messaging.consumer.group.name": _GROUP,
    }
    if mail is not None:
        attributes["messaging.message.id"] = mail.id
    parent = context if context is not None or mail is None else _sent_in(mail)
    span = used.tracer.start_span(f"{word} {TEMPLATE}", parent, _client_kind(), attributes)
    mark_failed(span, error)
    span.end()


def _send_span(used: Otel, attributes: Mapping[str, Any]) -> Span:
    from opentelemetry.trace import SpanKind

    return used.tracer.start_span(
        f"send {TEMPLATE}", None, SpanKind.PRODUCER, {**attributes, **_operation("send", "send")}
    )


@lru_cache(maxsize=64)
def _of_server(url: str) -> Mapping[str, Any]:
    """The attributes that all spans of an exchange have."""
    parts = urlsplit(url)
    known: dict[str, Any] = {"messaging.system": SYSTEM, "messaging.destination.template": TEMPLATE}
    if parts.hostname and parts.scheme in ("redis", "rediss"):
        known |= {"server.address": parts.hostname, "server.port": parts.port or 6379}
    elif parts.path:
        known["server.address"] = parts.path
    return known


def _of_session(exchange: Mailboxes, session: str) -> dict[str, Any]:
    return {**_of_server(exchange.url), "messaging.message.conversation_id": session, "session.id": session}


@lru_cache(maxsize=8)
def _metric_attributes(operation: str) -> dict[str, str]:
    return {
        "messaging.system": SYSTEM,
        "messaging.operation.name": operation,
        "messaging.destination.template": TEMPLATE,
    }


def _operation(name: str, kind: str) -> dict[str, str]:
    return {"messaging.operation.name": name, "messaging.operation.type": kind}


def _begun_by(used: Otel, contexts: Sequence[Context]) -> Context:
    """The context to go on with: that of the only sender, or an empty one, which begins a trace."""
    from opentelemetry.context import Context

    return contexts[0] if used.parents and len(contexts) == 1 else Context()


def _of_different_spans(mails: Sequence[Carrier], most: int = _MOST_LINKS) -> list[Carrier]:
    """One mail of each sending, as many as a span may link to."""
    found: dict[str, Carrier] = {}
    for mail in mails:
        if mail.traceparent is not None and mail.traceparent not in found:
            found[mail.traceparent] = mail
            if len(found) == most:
                break
    return list(found.values())


def _sent_in(mail: Carrier) -> Context:
    """The context that a mail carries; an empty one where that is nothing, or nonsense."""
    from opentelemetry import propagate
    from opentelemetry.context import Context

    fields = {"traceparent": mail.traceparent, "tracestate": mail.tracestate, "baggage": mail.baggage}
    return propagate.extract({name: text for name, text in fields.items() if text}, Context())


def _link(context: Context) -> Link | None:
    from opentelemetry.trace import Link, get_current_span

    sender = get_current_span(context).get_span_context()
    return Link(sender) if sender.is_valid else None


def _client_kind() -> Any:
    from opentelemetry.trace import SpanKind

    return SpanKind.CLIENT
