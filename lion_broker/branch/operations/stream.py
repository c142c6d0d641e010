"""Ask a model and hand its answer on as it comes; both sides are kept when it is complete."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import anyio

from lion_broker.errors import ModelError

from .asking import question_of, record

if TYPE_CHECKING:
    from lion_broker.branch.branch import Branch

__all__ = ["stream", "within"]


async def stream(branch: Branch, **question: Any) -> AsyncGenerator[str]:
    """Yield the answer in pieces of text.

    Question and answer are recorded when the last piece has come; whoever stops earlier, or meets an error, leaves the
    conversation as it was.
    """
    asked = question_of(branch, **question)
    reply = None
    async with aclosing(branch.listen(asked)) as chunks:
        async for chunk in chunks:
            if chunk.text:
                yield chunk.text
            reply = chunk.reply or reply
    if reply is None:
        raise ModelError(f"The stream of {asked.model.name} ended without an answer.")
    record(branch, asked, reply)
    await branch.settle()


async def within(seconds: float | None, pieces: AsyncGenerator[str]) -> AsyncGenerator[str]:
    """Yield what a stream yields, until it has ended or so much time has passed; then TimeoutError."""
    end = anyio.current_time() + (float("inf") if seconds is None else seconds)
    async with aclosing(pieces):
        while True:
            with anyio.fail_after(end - anyio.current_time()):
                piece = await anext(pieces, None)
            if piece is None:
                return
            yield piece
