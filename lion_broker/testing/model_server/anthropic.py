"""Answers in Anthropic's form: messages, whole and as a stream of events."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from .answer import Answer, Call
from .openai import pieces, tokens

__all__ = ["END_MARK", "chunks", "error_body", "event", "whole"]

END_MARK = b""

_STOP_REASONS = {"stop": "end_turn", "tool_calls": "tool_use", "length": "max_tokens", "content_filter": "refusal"}
_ARGUMENTS_PIECE = 8
_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}


def whole(request: Mapping[str, Any], answer: Answer, number: int) -> dict[str, Any]:
    """Return the body of a whole answer."""
    prompt, completed = tokens(request, answer)
    return {
        "id": f"msg_{number:06}",
        "type": "message",
        "role": "assistant",
        "model": request.get("model") or "fake",
        "content": _content(answer, number),
        "stop_reason": _stop_reason(answer),
        "stop_sequence": None,
        "usage": {"input_tokens": prompt, "output_tokens": completed},
    }


def chunks(request: Mapping[str, Any], answer: Answer, number: int) -> Iterator[dict[str, Any]]:
    """Yield the events of a streamed answer."""
    said = whole(request, answer, number)
    usage = {**said["usage"], "output_tokens": 1}
    yield {"type": "message_start", "message": {**said, "content": [], "stop_reason": None, "usage": usage}}
    yield {"type": "ping"}
    for index, block in enumerate(said["content"]):
        yield from _block_events(index, block, answer)
    delta = {"stop_reason": said["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": delta, "usage": {"output_tokens": said["usage"]["output_tokens"]}}
    yield {"type": "message_stop"}


def error_body(answer: Answer) -> dict[str, Any]:
    """Return the body of an error."""
    kind = _ERROR_TYPES.get(answer.status, "api_error")
    return {"type": "error", "error": {"type": kind, "message": answer.text, **(answer.error or {})}}


def event(value: Mapping[str, Any]) -> bytes:
    """Return one event with its name, as bytes."""
    return f"event: {value['type']}\ndata: {json.dumps(value, ensure_ascii=False)}\n\n".encode()


def _content(answer: Answer, number: int) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = [{"type": "text", "text": answer.text}] if answer.text else []
    return blocks + [_tool_use(call, number, place) for place, call in enumerate(answer.calls)]


def _tool_use(call: Call, number: int, place: int) -> dict[str, Any]:
    try:
        given = json.loads(call.arguments or "{}")
    except ValueError:
        given = call.arguments  # this API carries no text here, so a model's broken JSON stays a text
    return {"type": "tool_use", "id": call.id or f"toolu_{number:06}_{place}", "name": call.name, "input": given}


def _stop_reason(answer: Answer) -> str:
    return _STOP_REASONS.get(answer.finished, answer.finished)


def _block_events(index: int, block: Mapping[str, Any], answer: Answer) -> Iterator[dict[str, Any]]:
    if block["type"] == "text":
        opened: dict[str, Any] = {"type": "text", "text": ""}
        deltas = [{"type": "text_delta", "text": one} for one in pieces(answer.text)]
    else:
        call = answer.calls[index - (1 if answer.text else 0)]
        opened = {**block, "input": {}}
        parts = ["", *pieces(call.arguments, _ARGUMENTS_PIECE)]
        deltas = [{"type": "input_json_delta", "partial_json": one} for one in parts]
    yield {"type": "content_block_start", "index": index, "content_block": opened}
    for delta in deltas:
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    yield {"type": "content_block_stop", "index": index}
