"""How the tests of models ask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lion_broker import ModelReply, iModel

__all__ = ["KEY", "TOOL", "USER", "ask", "streamed"]

KEY = "sk-very-secret-key-0123456789"
USER = {"role": "user", "content": "Hello?"}
TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}


async def streamed(model: iModel, messages: Sequence[Any] = (USER,), **parameters: Any) -> tuple[list[str], ModelReply]:
    """Ask for a stream: its texts, and the whole reply."""
    texts, reply = [], None
    async for chunk in model.stream(messages, **parameters):
        assert reply is None, "something came after the reply"
        texts += [chunk.text] if chunk.text else []
        reply = chunk.reply
    assert reply is not None
    assert "".join(texts) == reply.text
    return texts, reply


async def ask(model: iModel, streams: bool, messages: Sequence[Any] = (USER,), **parameters: Any) -> ModelReply:
    """Ask in either way."""
    if streams:
        return (await streamed(model, messages, **parameters))[1]
    return await model.invoke(messages, **parameters)
