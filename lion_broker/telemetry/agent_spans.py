"""Spans of what branches and sessions do; without a provider of OpenTelemetry they cost next to nothing."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING, TypeVar

from .lines import back_to, now_about
from .otel import Otel, conversation_of, fail, in_context, otel

if TYPE_CHECKING:
    from opentelemetry.trace import Span

__all__ = ["Workflow", "agent", "agent_pieces", "workflow"]

T = TypeVar("T")


@contextmanager
def agent(branch: str, name: str, session: str) -> Iterator[None]:
    """Within this, a branch does an operation; log lines say which branch."""
    before = now_about({"session": session, "branch": branch} if session else {"branch": branch})
    used = otel()
    try:
        if used is None:
            yield
            return
        from opentelemetry.trace import use_span

        span, began = _agent_span(used, branch, name, session), time.perf_counter()
        error = ""
        try:
            with use_span(span, record_exception=False, set_status_on_exception=False):
                yield
        except BaseException as failure:
            error = fail(span, failure)
            raise
        finally:
            _end_agent(used, span, name, began, error)
    finally:
        back_to(before)


def agent_pieces(pieces: AsyncGenerator[T], branch: str, name: str, session: str) -> AsyncGenerator[T]:
    """Return what a branch streams; its span is current while a piece is made, and not while it is read."""
    used = otel()
    return pieces if used is None else _in_span(used, pieces, branch, name, session)


async def _in_span(used: Otel, pieces: AsyncGenerator[T], branch: str, name: str, session: str) -> AsyncGenerator[T]:
    span, began, error = _agent_span(used, branch, name, session), time.perf_counter(), ""
    try:
        async with aclosing(pieces):
            while True:
                found = await _next_in(span, pieces)
                if not found:
                    return
                yield found[0]
    except GeneratorExit:
        raise  # whoever reads has heard enough
    except BaseException as failure:
        error = fail(span, failure)
        raise
    finally:
        _end_agent(used, span, name, began, error)


async def _next_in(span: Span, pieces: AsyncGenerator[T]) -> tuple[T, ...]:
    from opentelemetry.trace import use_span

    with use_span(span, record_exception=False, set_status_on_exception=False):
        try:
            return (await anext(pieces),)
        except StopAsyncIteration:
            return ()


class Workflow:
    """The span of a session that is open in a `with` block."""

    __slots__ = ("_before", "_began", "_name", "_otel", "_span")

    def __init__(self, used: Otel, session: str, name: str) -> None:
        from opentelemetry.context import attach, get_current
        from opentelemetry.trace import SpanKind

        self._otel, self._name, self._began = used, name, time.perf_counter()
        attributes = {"gen_ai.operation.name": "invoke_workflow", **conversation_of(session)}
        if name:
            attributes["gen_ai.workflow.name"] = name
        self._span = used.tracer.start_span(
            f"invoke_workflow {name}".strip(), None, SpanKind.INTERNAL, attributes, record_exception=False
        )
        self._before = get_current()
        attach(in_context(self._span))

    def end(self, error: BaseException | None = None) -> None:
        """End it, with what has ended the block."""
        from opentelemetry.context import attach
        from opentelemetry.trace import get_current_span

        if get_current_span() is self._span:
            # A block that ends in another task than it began in has left nothing there to be undone.
            attach(self._before)
        failed = {}
        if error is not None:
            failed = {"error.type": fail(self._span, error)}
        self._span.end()
        named = {"gen_ai.workflow.name": self._name} if self._name else {}
        self._otel.record("gen_ai.workflow.duration", time.perf_counter() - self._began, {**named, **failed})


def workflow(session: str, name: str) -> Workflow | None:
    """Begin the run of a session; None where nobody wants to know."""
    used = otel()
    return None if used is None else Workflow(used, session, name)


def _agent_span(used: Otel, branch: str, name: str, session: str) -> Span:
    from opentelemetry.trace import SpanKind

    attributes = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.id": branch}
    if name:
        attributes["gen_ai.agent.name"] = name
    if session:
        attributes |= conversation_of(session)
    return used.tracer.start_span(
        f"invoke_agent {name}".strip(), None, SpanKind.INTERNAL, attributes, record_exception=False
    )


def _end_agent(used: Otel, span: Span, name: str, began: float, error: str) -> None:
    span.end()
    attributes = {"gen_ai.operation.name": "invoke_agent"}
    if name:
        attributes["gen_ai.agent.name"] = name
    if error:
        attributes["error.type"] = error
    used.record("gen_ai.invoke_agent.duration", time.perf_counter() - began, attributes)
