"""A client of model servers with no wishes of its own: what it sends and gets is what the test sees."""

from __future__ import annotations

import json
from typing import Any

import httpx

__all__ = ["USER", "Client"]

USER = {"role": "user", "content": "Hello?"}


class Client(httpx.Client):
    """Asks in the form of either provider, and takes streams apart."""

    def __init__(self, root: str, **options: Any) -> None:
        super().__init__(base_url=root, timeout=60.0, trust_env=False, **options)

    def chat(self, *messages: dict[str, Any], **parameters: Any) -> httpx.Response:
        """Ask OpenAI's way."""
        return self.post("/v1/chat/completions", json={"model": "m", "messages": messages or [USER], **parameters})

    def message(self, *messages: dict[str, Any], **parameters: Any) -> httpx.Response:
        """Ask Anthropic's way."""
        body = {"model": "m", "max_tokens": 100, "messages": messages or [USER], **parameters}
        return self.post("/v1/messages", json=body, headers={"anthropic-version": "2023-06-01"})

    def streamed(self, **parameters: Any) -> list[Any]:
        """Ask for a stream OpenAI's way: its chunks, and the end mark as it stands."""
        response = self.chat(stream=True, **parameters)
        assert response.headers["content-type"].startswith("text/event-stream")
        data = [line.removeprefix("data: ") for line in response.text.splitlines() if line]
        return [one if one == "[DONE]" else json.loads(one) for one in data]

    def events(self, **parameters: Any) -> list[Any]:
        """Ask for a stream Anthropic's way: its events, each under its name."""
        lines = [line for line in self.message(stream=True, **parameters).text.splitlines() if line]
        named = list(zip(lines[::2], lines[1::2], strict=True))
        events = [json.loads(data.removeprefix("data: ")) for _, data in named]
        assert [name for name, _ in named] == [f"event: {event['type']}" for event in events]
        return events
