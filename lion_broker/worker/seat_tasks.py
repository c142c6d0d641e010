"""The seats that are at work, each in a task of its own that begins at once and costs little."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from typing import Any, Final

import anyio

__all__ = ["SeatTasks"]

_AGAIN_SECONDS: Final = 0.05
"""After so long whoever has not heeded that it is dropped is told again."""


class SeatTasks:
    """Tasks that work side by side, none of which fails; made in the event loop in which they run.

    Those of a task group of anyio would cost several times as much, which for a single mail is a tenth of its turn.
    Each begins with what is known where this was made, whoever starts it.
    """

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._context: Context = copy_context()
        self._over = False

    def start(self, work: Coroutine[Any, Any, None], ended: Callable[[], None]) -> None:
        """Begin to work, unless all work is being dropped; `ended` is called afterwards in any case."""
        if self._over:
            # Not within this call: what ends may start the next, and so on.
            work.close()
            asyncio.get_running_loop().call_soon(ended)
            return
        task = asyncio.get_running_loop().create_task(work, context=self._context.copy())
        self._tasks.add(task)

        def end(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            ended()

        task.add_done_callback(end)

    async def wait(self) -> None:
        """Wait until all work is done, also what is started meanwhile."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def drop(self) -> None:
        """Stop all work, begin no other, and wait until it has stopped; cannot be cancelled."""
        self._over = True
        with anyio.CancelScope(shield=True):
            while self._tasks:
                for task in self._tasks:
                    task.cancel()
                await asyncio.wait(self._tasks, timeout=_AGAIN_SECONDS)
