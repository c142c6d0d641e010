"""Spans of mail on its way; without a provider of OpenTelemetry every function here does next to nothing."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from .counts import counts_here
from .later import later
from .mail_attributes import (
    MOST_LINKS,
    Mailboxes,
    of_mail,
    of_mailbox,
    of_metrics,
    of_session,
    of_worker,
)  # fmt: skip
from .names import TEMPLATE
from .otel import otel

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span

    from .tracing import Carrier, Otel
    from .whole import Whole

__all__ = [
    "Processing", "Sending", "Together", "ack", "count_received", "count_sent", "handed_in", "outgoing", "process",
    "settle",
]  # fmt: skip


class Sending:
    """The sending of a mail: `carried` are the fields of its header; `end` it when it has gone, or could not go."""

    __slots__ = ("_began", "_otel", "_span", "carried")

    def __init__(self, carried: dict[str, Any], used: Otel | None = None, span: Whole | None = None) -> None:
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
        failed = "" if error is None else type(error).__name__
        self._span.end(error=failed)
        if posted:
            measured = of_metrics("send") | ({"error.type": failed} if failed else {})
            duration = time.perf_counter() - self._began
            self._otel.record("messaging.client.operation.duration", duration, measured)


_NOTHING: Final = Sending({})


class Together:
    """One `send` span for all mail that is sent between a `begin` and its `leave`, made with the first of them."""

    def __init__(self) -> None:
        self._carried: dict[str, Any] | None = None
        self._span: Whole | None = None
        self._mails = 0
        self._first: dict[str, str] = {}
        self._outer: Together | None = None

    def begin(self) -> None:
        """From now on mail that is sent in this task shares the span."""
        self._outer = _together.get()
        _together.set(self)

    def leave(self) -> None:
        """Share it no longer, or not now."""
        if _together.get() is self:
            _together.set(self._outer)

    def end(self, *, of_worker: bool = False) -> None:
        """Share it no longer, and end it; that of a worker is made a little later."""
        self.leave()
        if self._span is not None:
            many = {"messaging.batch.message_count": self._mails}
            told = self._first if self._mails == 1 else many
            if of_worker:
                later(partial(self._span.end, told, time.time()))
            else:
                self._span.end(told)
            self._span = None

    def carry(self, used: Otel, exchange: Mailboxes, session: str, recipient: str, mail: str) -> dict[str, Any]:
        """Return what one more mail carries."""
        self._mails += 1
        if self._carried is None:
            self._first = of_mail(exchange, session, recipient, mail)
            self._span = used.begin(f"send {TEMPLATE}", "PRODUCER", of_session(exchange, session, "send", "send"))
            self._carried = used.carried(self._span.context)
        return self._carried


_together: ContextVar[Together | None] = ContextVar("lion_broker_sent_together", default=None)


def outgoing(exchange: Mailboxes, session: str, recipient: str, mail: str) -> Sending:
    """Begin to send a mail; its header takes what the sending carries."""
    used = otel()
    if used is None:
        return _NOTHING
    together = _together.get()
    if together is not None:
        return Sending(together.carry(used, exchange, session, recipient, mail))
    attributes = of_session(exchange, session, "send", "send") | of_mail(exchange, session, recipient, mail)
    span = used.begin(f"send {TEMPLATE}", "PRODUCER", attributes)
    return Sending(used.carried(span.context), used, span)


def handed_in(exchange: Mailboxes, session: str, recipient: str, mail: str) -> dict[str, Any]:
    """Return what the header of a mail carries that goes with the next commit or post, and counts as sent by now."""
    used = otel()
    if used is None:
        return {}
    together = _together.get()
    if together is not None:
        return together.carry(used, exchange, session, recipient, mail)
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
    """The handling of one mail, or of several in one span; `enter` it once, and `leave` it before its end."""

    __slots__ = ("_before", "_began", "_known", "_links", "_mail", "_mails", "_otel", "_span", "context")

    def __init__(self, used: Otel, span: Span, context: Context, mail: Carrier) -> None:
        self._otel, self._span = used, span
        self._mail, self._mails = mail.id, 1
        self._known = {mail.traceparent} if mail.traceparent is not None else set()
        self._links = span.is_recording()
        self._began = time.perf_counter()
        self._before: Context | None = None
        self.context = context

    def joins(self, mail: Carrier) -> None:
        """One more mail is handled in it."""
        self._mails += 1
        sender = mail.traceparent
        if not self._links or sender is None or sender in self._known:
            return
        self._known.add(sender)
        self._links = len(self._known) < MOST_LINKS
        for link in self._otel.links((mail,)):
            self._span.add_link(link.context)

    def enter(self) -> None:
        """Make it the current span of this task."""
        self._before = self._otel.enter(self.context)

    def leave(self) -> None:
        """Make that current again which was before."""
        if self._before is not None:
            self._otel.enter(self._before)
            self._before = None

    def end(self, error: str = "") -> None:
        """End it; `error` is the class of what the handling has raised. The span is there a little later."""
        seconds = time.perf_counter() - self._began
        later(partial(self._make, error, seconds, time.time_ns()))

    def _make(self, error: str, seconds: float, ended: int) -> None:
        attributes = of_metrics("process")
        if self._mails == 1:
            self._span.set_attribute("messaging.message.id", str(self._mail))
        else:
            self._span.set_attribute("messaging.batch.message_count", self._mails)
        if error:
            attributes = attributes | {"error.type": self._otel.fail(self._span, error)}
        self._span.end(ended)
        self._otel.record("messaging.process.duration", seconds, attributes)


def process(exchange: Mailboxes, session: str, branch: str, owner: str, mail: Carrier) -> Processing | None:
    """Begin to handle a mail; others may join it. None without a provider.

    The span links to the one that sent the mail, and goes on with its trace, unless the settings want links only. What
    is current in the task that serves a branch has nothing to do with the mail.
    """
    used = otel()
    if used is None:
        return None
    parent = used.begun_by((mail,))
    attributes = of_worker(exchange, session, branch, owner, "process", "process")
    span = used.start(f"process {TEMPLATE}", "CONSUMER", attributes, parent, used.links((mail,)))
    return Processing(used, span, used.with_span(span, parent), mail)


def count_received(mails: int) -> None:
    """Count mails that were handed out."""
    used = otel()
    if used is not None:
        used.count("messaging.client.consumed.messages", mails)


def ack(
    exchange: Mailboxes,
    session: str,
    branch: str,
    owner: str,
    mail: Carrier | None,
    mails: int,
    context: Context,
    began: float,
) -> None:
    """Note that a commit has settled so many mails, or the one; `context` is that of their handling.

    It began `began` seconds after the epoch. The span is there a little later.
    """
    used = otel()
    if used is not None:
        later(partial(_acked, used, exchange, session, branch, owner, mail, mails, context, began, time.time()))


def _acked(
    used: Otel,
    exchange: Mailboxes,
    session: str,
    branch: str,
    owner: str,
    mail: Carrier | None,
    mails: int,
    context: Context,
    began: float,
    ended: float,
) -> None:
    attributes = of_worker(exchange, session, branch, owner, "ack", "settle")
    if mail is not None:
        attributes["messaging.message.id"] = mail.id
    else:
        attributes["messaging.batch.message_count"] = mails
    used.begin(f"ack {TEMPLATE}", "CLIENT", attributes, context, began=began).end(ended=ended)
    used.record("messaging.client.operation.duration", max(0.0, ended - began), of_metrics("ack"))


def settle(
    word: str, exchange: Mailboxes, session: str, branch: str, mail: Carrier | None, context: Context | None, error: str
) -> None:
    """Note that a mail was not applied but put elsewhere: `word` is `dead_letter` or `nack`."""
    used = otel()
    if used is None:
        return
    attributes = of_session(exchange, session, word, "settle")
    attributes |= of_mailbox(exchange, session, branch)
    if mail is not None:
        attributes["messaging.message.id"] = mail.id
    parent = context if context is not None or mail is None else used.sent_in(mail)
    used.begin(f"{word} {TEMPLATE}", "CLIENT", attributes, parent).end(error=error)
