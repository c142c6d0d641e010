"""Spans and metrics of calls of models and tools."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from .acts import Act, ModelCall, ToolUse
from .lines import said
from .otel import conversation_of, otel

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span

    from .tracing import Otel

__all__ = ["ActSpans"]

_LONGEST: Final = 32_000
"""Characters of one attribute that says what was said."""
_NUMBERS: Final = {
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "max_completion_tokens": "gen_ai.request.max_tokens",
    "max_tokens": "gen_ai.request.max_tokens",
    "seed": "gen_ai.request.seed",
}
_COUNTS: Final = {
    "gen_ai.usage.input_tokens": ("prompt_tokens",),
    "gen_ai.usage.output_tokens": ("completion_tokens",),
    "gen_ai.usage.cache_read.input_tokens": ("cache_read_input_tokens", "prompt_tokens_details.cached_tokens"),
    "gen_ai.usage.cache_creation.input_tokens": ("cache_creation_input_tokens",),
    "gen_ai.usage.reasoning.output_tokens": ("completion_tokens_details.reasoning_tokens",),
}
"""Where providers put what they have counted."""


class ActSpans:
    """Makes a span of each act: `chat` of a model, `execute_tool` of a tool; current meanwhile, but for a stream."""

    def begun(self, act: Act, call: ModelCall | ToolUse | None) -> tuple[Otel, Span, Context | None] | None:
        """Begin the span."""
        used = otel()
        if used is None or call is None:
            return None
        asked = _asked_of_model(used, call) if isinstance(call, ModelCall) else _asked_of_tool(used, act, call)
        inside = not isinstance(call, ModelCall) or call.here
        name = f"chat {call.model}" if isinstance(call, ModelCall) else f"execute_tool {act.name}"
        kind = "INTERNAL" if inside else "CLIENT"
        span = used.start(name, kind, asked | conversation_of(said("session")))
        if isinstance(call, ModelCall) and call.streams:
            # Between two chunks somebody else's code runs in the same task: that is not part of the call.
            return used, span, None
        return used, span, used.enter(used.with_span(span))

    def ended(self, act: Act, call: ModelCall | ToolUse | None, seen: Any) -> None:
        """End it."""
        if seen is None:
            return
        used, span, outside = seen
        if outside is not None:
            used.enter(outside)
        if act.error:
            used.fail(span, act.error)
        if isinstance(call, ModelCall):
            _answered(used, span, act, call)
        elif isinstance(call, ToolUse):
            if used.content and not act.error:
                span.set_attribute("gen_ai.tool.call.result", _text(call.result))
            used.record("gen_ai.execute_tool.duration", act.seconds, _failed(act) | {"gen_ai.tool.name": act.name})
        span.end()


def _asked_of_tool(used: Otel, act: Act, use: ToolUse) -> dict[str, Any]:
    asked: dict[str, Any] = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": act.name,
        "gen_ai.tool.type": "function",
    }
    if use.description:
        asked["gen_ai.tool.description"] = use.description[:1024]
    if used.content:
        asked["gen_ai.tool.call.arguments"] = _text(use.arguments)
    return asked


def _asked_of_model(used: Otel, call: ModelCall) -> dict[str, Any]:
    given = call.parameters
    asked: dict[str, Any] = {
        **_named(call),
        "gen_ai.output.type": "json" if given.get("response_format") else "text",
        **{name: given[key] for key, name in _NUMBERS.items() if _is_number(given.get(key))},
    }
    if call.streams:
        asked["gen_ai.request.stream"] = True
    if stop := given.get("stop"):
        asked["gen_ai.request.stop_sequences"] = [str(one) for one in ([stop] if isinstance(stop, str) else stop)]
    if isinstance(given.get("n"), int) and given["n"] != 1:
        asked["gen_ai.request.choice.count"] = given["n"]
    if used.content:
        asked |= _content(call)
    return asked


def _named(call: ModelCall) -> dict[str, Any]:
    """What names a call, in spans and metrics."""
    named: dict[str, Any] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": call.provider or "unknown",
        "gen_ai.request.model": call.model,
    }
    if call.url:
        parts = urlsplit(call.url)
        named["server.address"] = parts.hostname or ""
        named["server.port"] = parts.port or (443 if parts.scheme == "https" else 80)
    return named


def _answered(used: Otel, span: Span, act: Act, call: ModelCall) -> None:
    named, reply = _named(call), call.reply
    if reply is not None:
        named["gen_ai.response.model"] = reply.model
        span.set_attribute("gen_ai.response.model", reply.model)
        span.set_attribute("gen_ai.response.finish_reasons", [reply.finish_reason])
        if isinstance(known := reply.raw.get("id"), str):
            span.set_attribute("gen_ai.response.id", known)
        for name, places in _COUNTS.items():
            if (counted := _counted(reply.usage, places)) is not None:
                span.set_attribute(name, counted)
        for kind in ("input", "output"):
            if (counted := _counted(reply.usage, _COUNTS[f"gen_ai.usage.{kind}_tokens"])) is not None:
                used.record("gen_ai.client.token.usage", counted, named | {"gen_ai.token.type": kind})
        if used.content:
            span.set_attribute("gen_ai.output.messages", _text([_said_by_model(reply)]))
    if call.chunks:
        first = call.first - call.began
        span.set_attribute("gen_ai.response.time_to_first_chunk", first)
        used.record("gen_ai.client.operation.time_to_first_chunk", first, named)
    if call.chunks > 1:
        each = (call.last - call.first) / (call.chunks - 1)
        used.record("gen_ai.client.operation.time_per_output_chunk", each, named)
    used.record("gen_ai.client.operation.duration", act.seconds, named | _failed(act))


def _failed(act: Act) -> dict[str, Any]:
    return {"error.type": act.error} if act.error else {}


def _counted(usage: Mapping[str, Any], places: Sequence[str]) -> int | None:
    """The first of the places in which a provider has put a number."""
    for place in places:
        value: Any = usage
        for key in place.split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return None


def _content(call: ModelCall) -> dict[str, str]:
    instructions = [_part(one) for one in call.messages if one.get("role") in ("system", "developer")]
    said_to_it = [
        {"role": str(one.get("role")), "parts": [_part(one)]}
        for one in call.messages
        if one.get("role") not in ("system", "developer")
    ]
    content = {"gen_ai.input.messages": _text(said_to_it)}
    if instructions:
        content["gen_ai.system_instructions"] = _text(instructions)
    if tools := call.parameters.get("tools"):
        content["gen_ai.tool.definitions"] = _text(tools)
    return content


def _part(message: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "text", "content": message.get("content")}


def _said_by_model(reply: Any) -> dict[str, Any]:
    calls = [
        {"type": "tool_call", "id": one.id, "name": one.name, "arguments": one.arguments} for one in reply.tool_calls
    ]
    return {
        "role": "assistant",
        "parts": [{"type": "text", "content": reply.text}, *calls],
        "finish_reason": reply.finish_reason,
    }


def _text(value: Any) -> str:
    text = json.dumps(value, default=str, ensure_ascii=False)
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} … (cut; it has {len(text):,} characters)"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
