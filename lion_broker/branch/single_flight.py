"""Tasks that want the same of the exchange: one of them asks, the others wait until their own part is decided."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from lion_broker.errors import LionError

__all__ = ["SingleFlight"]


class SingleFlight:
    """Who asks of the tasks of one event loop that wait for their mails, and who is woken when.

    Woken are those whose mail is decided, and one more to ask for what is left: if all were, each question would cost
    as much as there are tasks. `decided` tells whether anything is known of a mail; they are looked at in the order in
    which they came, which is the order in which mails go.
    """

    def __init__(self, decided: Callable[[str], bool]) -> None:
        self.loop = asyncio.get_running_loop()
        self.asks = False
        """Whether one of the tasks asks now."""
        self._decided = decided
        self._waiting: deque[tuple[str, asyncio.Future[LionError | None]]] = deque()
        self._next: asyncio.Future[LionError | None] | None = None

    async def wait(self, mail: str) -> LionError | None:
        """Wait until a mail may be decided, or it is for this task to ask; returns the error of who asked, if any."""
        woken: asyncio.Future[LionError | None] = self.loop.create_future()
        self._waiting.append((mail, woken))
        try:
            return await woken
        finally:
            if self._next is woken:
                self._next = None

    def tell(self, failed: LionError | None) -> None:
        """Wake those whose mails are decided, or all of them with the error of who has asked."""
        while self._waiting:
            mail, woken = self._waiting[0]
            if failed is None and not woken.done() and not self._decided(mail):
                return
            self._wake(failed)

    def leave(self) -> None:
        """Let another task ask, if nobody does: to be called by whoever waits no longer, whatever the reason."""
        if self.asks or self._next is not None:
            return
        self.tell(None)
        while self._waiting and self._next is None:
            woken = self._waiting[0][1]
            if self._wake(None):
                self._next = woken

    def _wake(self, failed: LionError | None) -> bool:
        """Wake the first in line; False for one that was cancelled."""
        _, woken = self._waiting.popleft()
        if woken.done():
            return False
        woken.set_result(failed)
        return True
