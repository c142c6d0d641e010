"""From an answer to the bytes of a response, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Protocol

from . import anthropic, openai
from .answer import Answer, Fault
from .request import Received

__all__ = ["Reply", "plain_reply", "reply_to"]

_JSON = "application/json"
_EVENTS = "text/event-stream; charset=utf-8"
_LAST_CHUNK = b"0\r\n\r\n"
_BREAKS = frozenset({Fault.HANG_UP, Fault.SILENCE})
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes over the wire: `parts` with `pause` seconds between them; HANG_UP and SILENCE happen after them."""

    parts: tuple[bytes, ...]
    pause: float = 0.0
    end: Fault = Fault.NONE


class Dialect(Protocol):
    """A provider's form of answers."""

    END_MARK: bytes
    """What ends a stream; empty when its last event does."""

    def whole(self, request: Mapping[str, Any], answer: Answer, number: int) -> dict[str, Any]:
        """Return the body of a whole answer."""

    def chunks(self, request: Mapping[str, Any], answer: Answer, number: int) -> Iterator[dict[str, Any]]:
        """Yield the chunks of a streamed answer."""

    def event(self, value: Mapping[str, Any]) -> bytes:
        """Return a chunk as a server-sent event."""

    def error_body(self, answer: Answer) -> dict[str, Any]:
        """Return the body of an error."""


def reply_to(request: Received, answer: Answer, number: int) -> Reply:
    """Return the response to a chat request: whole, streamed, an error, or the beginning of one that fails.

    `number` makes the ids of the answer.
    """
    dialect: Dialect = anthropic if request.is_anthropic else openai
    if answer.is_error:
        return plain_reply(dialect.error_body(answer), answer.status, answer.headers)
    if answer.fault in _BREAKS and not (request.streams and answer.after):
        return Reply((), end=answer.fault)
    if request.streams:
        return _stream(_cut(_events(dialect, request, answer, number), dialect, answer), answer)
    if answer.fault is Fault.GARBAGE:
        return _whole(200, answer.headers, answer.text.encode())
    if answer.fault is Fault.ERROR:
        return plain_reply(dialect.error_body(answer), 200, answer.headers)
    return plain_reply(dialect.whole(request.body, answer, number), 200, answer.headers)


def plain_reply(body: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] = _NO_HEADERS) -> Reply:
    """Return a response with a JSON body."""
    return _whole(status, headers, json.dumps(body, ensure_ascii=False).encode())


def _whole(status: int, headers: Mapping[str, str], content: bytes) -> Reply:
    return Reply((_head(status, headers, _JSON, len(content)) + content,))


def _events(dialect: Dialect, request: Received, answer: Answer, number: int) -> list[bytes]:
    if answer.fault is Fault.GARBAGE:
        return [f"data: {answer.text}\n\n".encode()]
    events = [dialect.event(one) for one in dialect.chunks(request.body, answer, number)]
    return [*events, dialect.END_MARK] if dialect.END_MARK else events


def _cut(events: list[bytes], dialect: Dialect, answer: Answer) -> list[bytes]:
    """Return the events that go out before the answer's fault."""
    if answer.fault is Fault.ERROR:
        return [*events[: answer.after], dialect.event(dialect.error_body(answer))]
    return events[: answer.after] if answer.fault in {*_BREAKS, Fault.END} else events


def _stream(events: list[bytes], answer: Answer) -> Reply:
    parts = [_head(200, answer.headers, _EVENTS, None), *_chunked(events)]
    end = answer.fault if answer.fault in _BREAKS else Fault.NONE
    if end is Fault.NONE:
        parts.append(_LAST_CHUNK)
    return Reply(tuple(parts) if answer.pause else (b"".join(parts),), answer.pause, end)


def _chunked(events: Iterable[bytes]) -> list[bytes]:
    return [b"%x\r\n%b\r\n" % (len(one), one) for one in events]


def _head(status: int, headers: Mapping[str, str], kind: str, length: int | None) -> bytes:
    lines = [f"HTTP/1.1 {status} {_phrase(status)}", f"content-type: {kind}"]
    lines.append("transfer-encoding: chunked" if length is None else f"content-length: {length}")
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
