"""Answers in OpenAI's form: chat completions, whole and as a stream of chunks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from .answer import Answer, Call

__all__ = ["END_MARK", "chunks", "error_body", "event", "model_list", "pieces", "tokens", "whole"]

END_MARK = b"data: [DONE]\n\n"

_CREATED = 1_700_000_000
_ARGUMENTS_PIECE = 8
_ERROR_TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}


def whole(request: Mapping[str, Any], answer: Answer, number: int) -> dict[str, Any]:
    """Return the body of a whole answer."""
    message: dict[str, Any] = {"role": "assistant", "content": answer.text or None, "refusal": None}
    if answer.calls:
        message["tool_calls"] = [_tool_call(call, number, place) for place, call in enumerate(answer.calls)]
    else:
        message["content"] = answer.text
    return {
        **_header(request, number, "chat.completion"),
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": answer.finished}],
        "usage": _usage(request, answer),
    }


def chunks(request: Mapping[str, Any], answer: Answer, number: int) -> Iterator[dict[str, Any]]:
    """Yield the chunks of a streamed answer: role, text, tool calls in pieces, why it ended, and usage when asked."""
    with_usage = bool((request.get("stream_options") or {}).get("include_usage"))
    header = _header(request, number, "chat.completion.chunk")
    if with_usage:
        header["usage"] = None
    for delta in _deltas(answer, number):
        yield {**header, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}]}
    last = {"index": 0, "delta": {}, "logprobs": None, "finish_reason": answer.finished}
    yield {**header, "choices": [last]}
    if with_usage:
        yield {**header, "choices": [], "usage": _usage(request, answer)}


def error_body(answer: Answer) -> dict[str, Any]:
    """Return the body of an error."""
    failed = answer.status == 200 or answer.status >= 500
    kind = "server_error" if failed else _ERROR_TYPES.get(answer.status, "invalid_request_error")
    return {"error": {"message": answer.text, "type": kind, "param": None, "code": None, **(answer.error or {})}}


def event(value: Mapping[str, Any]) -> bytes:
    """Return one chunk as a server-sent event."""
    return b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"


def model_list(models: tuple[str, ...]) -> dict[str, Any]:
    """Return the body of `/v1/models`."""
    return {
        "object": "list",
        "data": [{"id": name, "object": "model", "created": _CREATED, "owned_by": "nobody"} for name in models],
    }


def pieces(text: str, size: int = 0) -> list[str]:
    """Cut text into what a stream carries at a time: words, or `size` characters."""
    if size:
        return [text[start : start + size] for start in range(0, len(text), size)]
    return re.findall(r"\S+\s*|\s+", text)


def tokens(request: Mapping[str, Any], answer: Answer) -> tuple[int, int]:
    """Return the tokens of prompt and answer: as the answer says, else made-up but steady numbers."""
    prompt, completed = answer.prompt_tokens, answer.completion_tokens
    if prompt is None:
        prompt = 3 + sum(len(str(message.get("content") or "")) // 4 for message in request.get("messages") or ())
    if completed is None:
        completed = len(pieces(answer.text)) + sum(4 + len(call.arguments) // 4 for call in answer.calls)
    return prompt, completed


def _header(request: Mapping[str, Any], number: int, kind: str) -> dict[str, Any]:
    model = request.get("model") or "fake"
    return {"id": f"chatcmpl-{number:06}", "object": kind, "created": _CREATED + number, "model": model}


def _usage(request: Mapping[str, Any], answer: Answer) -> dict[str, int]:
    prompt, completed = tokens(request, answer)
    return {"prompt_tokens": prompt, "completion_tokens": completed, "total_tokens": prompt + completed}


def _deltas(answer: Answer, number: int) -> Iterator[dict[str, Any]]:
    yield {"role": "assistant", "content": "" if answer.text or not answer.calls else None}
    for piece in pieces(answer.text):
        yield {"content": piece}
    for place, call in enumerate(answer.calls):
        opened = {**_tool_call(call, number, place), "index": place, "function": {"name": call.name, "arguments": ""}}
        yield {"tool_calls": [opened]}
        for piece in pieces(call.arguments, _ARGUMENTS_PIECE):
            yield {"tool_calls": [{"index": place, "function": {"arguments": piece}}]}


def _tool_call(call: Call, number: int, place: int) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id or f"call_{number:06}_{place}", "type": "function", "function": function}
