"""Spans of what branches and sessions do; without a provider of OpenTelemetry they cost next to nothing."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING, TypeVar

from .lines import back_to, now_about
from .otel import conversation_of, otel

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from .tracing import Otel

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
        span, began, error = _agent_span(used, branch, name, session), time.perf_counter(), ""
        outside = used.enter(used.with_span(span))
        try:
            yield
        except BaseException as failure:
            error = used.fail(span, failure)
            raise
        finally:
            used.enter(outside)
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
                found = await _next_in(used, span, pieces)
                if not found:
                    return
                yield found[0]
    except GeneratorExit:
        raise  # whoever reads has heard enough
    except BaseException as failure:
        error = used.fail(span, failure)
        raise
    finally:
        _end_agent(used, span, name, began, error)


async def _next_in(used: Otel, span: Span, pieces: AsyncGenerator[T]) -> tuple[T, ...]:
    """The next piece, made under the span; nothing when there is none."""
    outside = used.enter(used.with_span(span))
    try:
        return (await anext(pieces),)
    except StopAsyncIteration:
        return ()
    finally:
        used.enter(outside)


class Workflow:
    """The span of a session that is open in a `with` block."""

    __slots__ = ("_began", "_name", "_otel", "_outside", "_span")

    def __init__(self, used: Otel, session: str, name: str) -> None:
        self._otel, self._name, self._began = used, name, time.perf_counter()
        attributes = {"gen_ai.operation.name": "invoke_workflow", **conversation_of(session)}
        if name:
            attributes["gen_ai.workflow.name"] = name
        self._span = used.start(f"invoke_workflow {name}".strip(), "INTERNAL", attributes)
        self._outside = used.enter(used.with_span(self._span))

    def end(self, error: BaseException | None = None) -> None:
        """End it, with what has ended the block."""
        if self._otel.is_current(self._span):
            # A block that ends in another task than it began in has left nothing there to be undone.
            self._otel.enter(self._outside)
        failed = {} if error is None else {"error.type": self._otel.fail(self._span, error)}
        self._span.end()
        named = {"gen_ai.workflow.name": self._name} if self._name else {}
        self._otel.record("gen_ai.workflow.duration", time.perf_counter() - self._began, {**named, **failed})


def workflow(session: str, name: str) -> Workflow | None:
    """Begin the run of a session; None where nobody wants to know."""
    used = otel()
    return None if used is None else Workflow(used, session, name)


def _agent_span(used: Otel, branch: str, name: str, session: str) -> Span:
    attributes = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.id": str(branch), **conversation_of(session)}
    if name:
        attributes["gen_ai.agent.name"] = name
    return used.start(f"invoke_agent {name}".strip(), "INTERNAL", attributes)


def _end_agent(used: Otel, span: Span, name: str, began: float, error: str) -> None:
    span.end()
    attributes = {"gen_ai.operation.name": "invoke_agent"}
    if name:
        attributes["gen_ai.agent.name"] = name
    if error:
        attributes["error.type"] = error
    used.record("gen_ai.invoke_agent.duration", time.perf_counter() - began, attributes)
