"""Tasks that want the same of somebody: one of them asks, the others wait until their own part of it has come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from lion_broker.errors import LionError

__all__ = ["SingleFlight"]


class SingleFlight:
    """Who asks of the tasks of one event loop, and who is woken when; each waits for something that has a name.

    Woken are those whose part has come, and one more to ask for what is left: if all were, each question would cost as
    much as there are tasks.
    """

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.asks = False
        """Whether one of the tasks asks now."""
        self._waiting: dict[str, asyncio.Future[LionError | None]] = {}
        self._next: asyncio.Future[LionError | None] | None = None

    async def wait(self, name: str) -> LionError | None:
        """Wait until a part may have come, or it is for this task to ask; returns the error of who asked, if any."""
        woken: asyncio.Future[LionError | None] = self.loop.create_future()
        self._waiting[name] = woken
        try:
            return await woken
        finally:
            if self._waiting.get(name) is woken:
                del self._waiting[name]
            if self._next is woken:
                self._next = None

    def wake(self, name: str) -> None:
        """Wake who waits for a part, if anybody does."""
        self._wake(self._waiting.pop(name, None), None)

    def wake_first(self, while_: Callable[[str], bool]) -> None:
        """Wake those who came first, as long as it holds for what they wait for."""
        while self._waiting and while_(name := next(iter(self._waiting))):
            self.wake(name)

    def fail(self, error: LionError) -> None:
        """Wake all with the error of who has asked for them."""
        while self._waiting:
            self._wake(self._waiting.popitem()[1], error)

    def leave(self) -> None:
        """Let another task ask, if nobody does: to be called by whoever waits no longer, whatever the reason."""
        if self.asks or self._next is not None or not self._waiting:
            return
        woken = self._next = self._waiting.pop(next(iter(self._waiting)))
        self._wake(woken, None)

    def _wake(self, woken: asyncio.Future[LionError | None] | None, failed: LionError | None) -> None:
        if woken is not None and not woken.done():
            woken.set_result(failed)
