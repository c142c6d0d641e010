"""What a provider's protocol has to say to `HttpEndPoint`: requests to build and answers to read, without any I/O."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

from pydantic_core import from_json, to_json

from lion_broker.models.endpoint import ChatMessage
from lion_broker.models.failure import Failure, Kind
from lion_broker.models.reply import ModelReply

__all__ = ["Dialect", "Gathering", "arguments_text", "json_object", "system_text", "with_system_text"]


class Gathering(Protocol):
    """A streamed answer on its way: events go in, and at the end it is a whole reply."""

    begun: bool
    """Whether any event has come."""
    over: bool
    """Whether the stream's own end has come."""

    def take(self, data: str) -> str:
        """Take an event; return the text that it adds. Raises Failure for an error or nonsense."""

    def whole(self) -> ModelReply:
        """Return the reply; raises Failure when its end has not come."""


class Dialect(Protocol):
    """A provider's protocol: pure functions."""

    path: str
    """Where it answers, below the base URL."""

    def headers(self, key: str) -> dict[str, str]:
        """Return the headers of a request; without the key's when it is empty."""

    def body(
        self,
        model: str,
        messages: Sequence[ChatMessage],
        parameters: Mapping[str, Any],
        streams: bool,
        refused: Collection[str],
    ) -> dict[str, Any]:
        """Return the body of a request that does without what the server has `refused`."""

    def concession(self, failure: Failure, body: Mapping[str, Any]) -> str:
        """Return what the server has refused and a request can do without; empty when it is something else."""

    def reply(self, body: bytes) -> ModelReply:
        """Return the reply that a whole answer is. Raises Failure for an error or nonsense."""

    def gathering(self) -> Gathering:
        """Return a new streamed answer."""


def json_object(text: str | bytes) -> dict[str, Any]:
    """Return the JSON object that a server has sent; raises Failure when it is none."""
    try:
        value = from_json(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise Failure(Kind.MALFORMED, "answered something that is no JSON object; is the base_url right?")
    return value


def system_text(response_format: Mapping[str, Any]) -> str:
    """Return the sentence that asks for JSON where no parameter can; empty when none is asked for."""
    if response_format.get("type") == "json_object":
        return "Answer with one JSON object and nothing else."
    if response_format.get("type") != "json_schema":
        return ""
    named = response_format.get("json_schema") or {}
    schema = to_json(named.get("schema") or {}).decode()
    return f"Answer with one JSON object and nothing else. It fits this JSON schema:\n{schema}"


def with_system_text(messages: Sequence[ChatMessage], text: str) -> list[dict[str, Any]]:
    """Return the conversation with a text added to its system message, or with a new one at its head."""
    copied = [dict(message) for message in messages]
    if not copied or copied[0].get("role") not in ("system", "developer"):
        return [{"role": "system", "content": text}, *copied]
    content = copied[0].get("content") or ""
    if isinstance(content, str):
        copied[0]["content"] = f"{content}\n\n{text}" if content else text
    else:
        copied[0]["content"] = [*content, {"type": "text", "text": text}]
    return copied


def arguments_text(value: Any) -> str:
    """Return a call's arguments as JSON text; some servers send the object itself."""
    return value if isinstance(value, str) else json.dumps(value or {}, ensure_ascii=False)
