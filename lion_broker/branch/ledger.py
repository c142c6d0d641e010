"""Calls to models and tools that a turn makes, recorded so that a turn which is done again need not ask again.

A call that was answered is not made again by whoever takes the turn over; one that was cut is, unless its tool is
marked `once`: then nobody knows whether it took effect, and a person has to look (`UnknownOutcome`).

No call begins without a lease: its beginning is written down and the lease prolonged in one round trip, and an answer
that took longer than the lease is asked for again. Whoever cannot reach the server begins no call.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, Final, TypeVar

from pydantic_core import from_json, to_json

from lion_broker.core.event import EventStatus
from lion_broker.core.idempotency import keyed
from lion_broker.core.portable import to_portable
from lion_broker.errors import LeaseLost, UnknownOutcome
from lion_broker.mail.answers import Stepped
from lion_broker.mail.exchange import Exchange
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.verbs import Renew, Station, Step
from lion_broker.models.reply import ModelChunk, ModelReply, ToolCall
from lion_broker.telemetry import logger
from lion_broker.telemetry.acts import ActKind, reused
from lion_broker.tools.calling import FunctionCalling

from .operations.asking import Question

__all__ = ["Ledger"]

log = logger("branch")

T = TypeVar("T")

_SAFE: Final = 0.8
"""The part of a lease after which it is about to end."""
_LARGEST: Final = 1024 * 1024
"""Bytes of a result that is recorded; a larger one is asked for again."""
_REPLY: Final = ("text", "model", "usage", "finish_reason", "label", "raw")
_TOKENS: Final = ("prompt_tokens", "completion_tokens")


class Ledger:
    """The recorded calls of one branch's turn; `station` tells under which token, a lease lasts `lease_ms`."""

    def __init__(self, exchange: Exchange, station: Callable[[], Station], lease_ms: int) -> None:
        self._exchange = exchange
        self._station = station
        self._lease_ms = lease_ms
        self._mail = ""
        self._made: Counter[str] = Counter()
        self.cut: UnknownOutcome | None = None
        """What to say of a call of a tool marked `once` that this very attempt has cut off, if it has."""

    def begin(self, mail: str) -> None:
        """Begin with the calls for a mail; the same calls in any order get the same names again."""
        self._mail = mail
        self._made.clear()
        self.cut = None

    async def model(self, question: Question, ask: Callable[[], Awaitable[ModelReply]]) -> ModelReply:
        """Return the reply that was recorded for a question, or ask and record it."""

        async def call() -> tuple[ModelReply, bytes]:
            reply = await ask()
            return reply, _written(_reply_values(reply))

        recorded = await self._recorded(f"model:{question.model.name}", _request_of(question), call)
        return recorded if isinstance(recorded, ModelReply) else _reused_reply(question, recorded)

    async def stream(self, question: Question, chunks: AsyncGenerator[ModelChunk]) -> AsyncGenerator[ModelChunk]:
        """Yield the chunks of a reply and record it at its end; one that was recorded comes in one piece."""
        name = self._name(f"model:{question.model.name}", _request_of(question))
        known = await self._call_begins(name)
        if known.body:
            await chunks.aclose()
            reply = _reused_reply(question, known.body)
            yield ModelChunk(text=reply.text)
            yield ModelChunk(reply=reply)
            return
        async with aclosing(chunks):
            # The request goes out with the first piece; no key may be set while this generator waits in a yield.
            with keyed(name):
                chunk = await anext(chunks, None)
            while chunk is not None:
                if chunk.reply is not None and (body := _written(_reply_values(chunk.reply))):
                    await self._call_ended(name, body)
                yield chunk
                chunk = await anext(chunks, None)

    async def tool(self, calling: FunctionCalling) -> None:
        """Make a call of a tool, or give it the outcome that was recorded.

        Raises UnknownOutcome for a tool marked `once` whose call was cut.
        """

        async def call() -> tuple[None, bytes]:
            await calling.invoke()
            return None, _written(_outcome_values(calling))

        once = calling.func_tool.once
        recorded = await self._recorded(f"tool:{calling.function}", calling.arguments, call, once=once)
        if isinstance(recorded, bytes):
            values = from_json(recorded)
            reused(ActKind.TOOL, calling.function, {"took": values["duration"]})
            _give(calling, values)

    async def _recorded(
        self, what: str, request: Any, call: Callable[[], Awaitable[tuple[T, bytes]]], *, once: bool = False
    ) -> T | bytes:
        name = self._name(what, request)
        known = await self._call_begins(name)
        if known.body:
            log.info("%s is not asked again: its result was recorded", what)
            return known.body
        if known.outcome == Outcome.ALREADY and once:
            raise _unknown(f"{what} was called by a worker that died before it could say what came of it.")
        try:
            with keyed(name):
                value, body = await call()
        except BaseException:
            if once:
                self.cut = _unknown(f"{what} was cut off before it could say what came of it.")
            raise
        if body:
            await self._call_ended(name, body)
        return value

    async def _call_begins(self, name: str) -> Stepped:
        """Write down that a call begins, under a lease that lasts; raises LeaseLost, BrokerUnavailable."""
        station = self._station()
        renewal = Renew((station,), self._lease_ms)
        asked = time.monotonic()
        begun, words = await self._exchange.acall_all([Step(*_names(station), name), renewal])
        # Whoever slept, or waited for the answer, for so long may have lost the lease again that it speaks of.
        while words[0] != Outcome.FENCED and time.monotonic() - asked > _SAFE * self._lease_ms / 1000:
            asked = time.monotonic()
            words = await self._exchange.acall(renewal)
        self._insist(station, words[0])
        stepped: Stepped = begun
        return stepped

    async def _call_ended(self, name: str, body: bytes) -> None:
        """Write down what came of a call; raises LeaseLost."""
        station = self._station()
        stepped = await self._exchange.acall(Step(*_names(station), name, body))
        self._insist(station, stepped.outcome)

    def _insist(self, station: Station, outcome: Outcome) -> None:
        if outcome == Outcome.FENCED:
            raise LeaseLost(f"The branch {station.branch} is hosted elsewhere now; nothing more is called from here.")

    def _name(self, what: str, request: Any) -> str:
        """The name of a call: what is called for which mail, and the how manieth like it."""
        kind = what.partition(":")[0]
        digest = hashlib.sha256(f"{what}\n".encode() + to_json(to_portable(request, fallback=repr))).hexdigest()[:32]
        self._made[digest] += 1
        return f"{self._mail}:{kind}:{digest}:{self._made[digest]}"


def _names(station: Station) -> tuple[str, str, str]:
    return station.session, station.branch, station.token


def _unknown(what: str) -> UnknownOutcome:
    return UnknownOutcome(
        f"{what} The tool is marked once, so it is not called again: find out what happened, then send the mail again"
        " or drop it."
    )


def _request_of(question: Question) -> list[Any]:
    """What a question is recognised by; ids of tool calls are new with each turn, so their order stands for them."""
    places: dict[str, int] = {}
    messages = []
    for message in question.messages:
        values = dict(message)
        if calls := values.get("tool_calls"):
            values["tool_calls"] = [{**call, "id": places.setdefault(call["id"], len(places))} for call in calls]
        if "tool_call_id" in values:
            values["tool_call_id"] = places.get(values["tool_call_id"])
        messages.append(values)
    return [messages, question.parameters]


def _written(values: dict[str, Any] | None) -> bytes:
    """The bytes to record, or none for what cannot be written down or is too large."""
    if values is None:
        return b""
    try:
        body = to_json(to_portable(values))
    except ValueError:  # NotPortable, or a text with half a character
        return b""
    return body if len(body) <= _LARGEST else b""


def _reply_values(reply: ModelReply) -> dict[str, Any]:
    calls = [[call.id, call.name, call.arguments] for call in reply.tool_calls]
    return {
        "text": reply.text,
        "model": reply.model,
        "usage": dict(reply.usage),
        "finish_reason": reply.finish_reason,
        "label": reply.label,
        "raw": dict(reply.raw),
        "tool_calls": calls,
    }


def _reused_reply(question: Question, body: bytes) -> ModelReply:
    """The reply that was recorded; what another version has added to it is passed over."""
    values = from_json(body)
    known = {name: values[name] for name in _REPLY if name in values}
    reply = ModelReply(**known, tool_calls=tuple(ToolCall(*call) for call in values["tool_calls"]))
    reused(ActKind.MODEL, question.model.name, {name: reply.usage[name] for name in _TOKENS if name in reply.usage})
    return reply


def _outcome_values(calling: FunctionCalling) -> dict[str, Any] | None:
    if calling.status not in (EventStatus.COMPLETED, EventStatus.FAILED):
        return None
    return {
        "status": str(calling.status),
        "response": calling.response,
        "error": calling.error,
        "duration": calling.execution.duration,
    }


def _give(calling: FunctionCalling, values: dict[str, Any]) -> None:
    calling.status = EventStatus(values["status"])
    calling.response = values["response"]
    calling.execution.error = values["error"]
    calling.execution.duration = values["duration"]
