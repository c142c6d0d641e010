"""A request as the fake server received it, and how to read one from bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["HEAD_END", "Malformed", "Received", "read_head", "read_request"]

HEAD_END = b"\r\n\r\n"


class Malformed(Exception):
    """Raised when bytes are no HTTP request that this server reads."""


@dataclass(frozen=True, slots=True)
class Received:
    """One request: `headers` by lower-case name, `body` as the JSON object in it ({} when there is none).

    `at` is the time at which it had arrived, in seconds of the monotonic clock.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    at: float

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The conversation in it; empty when it is no chat."""
        return list(self.body.get("messages") or ())

    @property
    def is_anthropic(self) -> bool:
        """Whether it is in Anthropic's form, not OpenAI's."""
        return self.path.endswith("/messages")

    @property
    def streams(self) -> bool:
        """Whether it asks for a stream."""
        return bool(self.body.get("stream"))

    @property
    def key(self) -> str:
        """The API key that it shows, in either provider's header; empty without one."""
        return self.headers.get("x-api-key") or self.headers.get("authorization", "").removeprefix("Bearer ")


def read_head(head: bytes) -> tuple[str, str, dict[str, str]]:
    """Return method, path without query and headers of a request's head. Raises Malformed."""
    first, *lines = head.decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) != 3:
        raise Malformed(f"{first!r} is no request line")
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return words[0], words[1].partition("?")[0], headers


def read_request(method: str, path: str, headers: Mapping[str, str], body: bytes, at: float) -> Received:
    """Return a whole request. Raises Malformed when its body is no JSON object."""
    try:
        value = json.loads(body) if body else {}
    except ValueError as error:
        raise Malformed(f"the body is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise Malformed(f"the body is no JSON object but a {type(value).__name__}")
    return Received(method, path, headers, value, at)
