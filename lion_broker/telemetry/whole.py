"""Spans that nobody but us adds to: they are never current, so they may be made in one go when they end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Protocol

from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode, Tracer

__all__ = ["NOTHING", "Beginner", "Whole", "beginner"]

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class Whole(Protocol):
    """A span that has begun."""

    @property
    def context(self) -> SpanContext:
        """What others go on with."""

    def end(self, attributes: Mapping[str, Any] = NOTHING, ended: float | None = None, error: str = "") -> None:
        """End it, now or at a time in seconds since the epoch; `error` is the class of what has failed."""


class Beginner(Protocol):
    """Begins spans."""

    def begin(
        self,
        name: str,
        kind: SpanKind,
        attributes: Mapping[str, Any],
        parent: Context | None = None,
        links: Sequence[Link] = (),
        began: float | None = None,
    ) -> Whole:
        """Begin one, of the current context without a parent; `began` is in seconds since the epoch, else now.

        Nobody changes the attributes afterwards.
        """


def beginner(tracer: Tracer) -> Beginner:
    """Return what begins spans of a tracer: the cheapest way that comes to the same."""
    asking = _Asking(tracer)
    if type(tracer).__module__ != "opentelemetry.sdk.trace":
        return asking
    from .made import making

    return making(tracer, asking) or asking


class _Asking:
    """Begins spans as the API does."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def begin(
        self,
        name: str,
        kind: SpanKind,
        attributes: Mapping[str, Any],
        parent: Context | None = None,
        links: Sequence[Link] = (),
        began: float | None = None,
    ) -> Whole:
        start_time = None if began is None else int(began * 1e9)
        return _Asked(self._tracer.start_span(name, parent, kind, attributes, links, start_time))


class _Asked:
    """A span as the API makes it."""

    __slots__ = ("_span", "context")

    def __init__(self, span: Span) -> None:
        self._span = span
        self.context = span.get_span_context()

    def end(self, attributes: Mapping[str, Any] = NOTHING, ended: float | None = None, error: str = "") -> None:
        if attributes:
            self._span.set_attributes(attributes)
        if error:
            self._span.set_status(Status(StatusCode.ERROR, error))
            self._span.set_attribute("error.type", error)
        self._span.end(None if ended is None else int(ended * 1e9))
