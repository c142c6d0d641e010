"""Waits for the answers to commands: all callers of one event loop share one blocking read."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager

from lion_broker.core.ids import IDType
from lion_broker.core.single_flight import SingleFlight
from lion_broker.mail.exchange import Exchange
from lion_broker.mail.records import START, Reply
from lion_broker.mail.verbs import AwaitReply

__all__ = ["Replies"]

_LONGEST_WAIT_MS = 5000


class Replies:
    """The replies to one client, handed to whoever asked.

    One of those who wait reads for all; when its own answer has come, another goes on. No task runs in the background,
    and an answer that nobody waits for any more is dropped.
    """

    def __init__(self, exchange: Exchange, session: str) -> None:
        self.client = IDType.create()
        self._exchange = exchange
        self._session = session
        self._after = START
        self._flight = SingleFlight()
        self._replies: defaultdict[str, deque[Reply]] = defaultdict(deque)
        self._asked: set[str] = set()

    @property
    def heard(self) -> bool:
        """Whether any reply has come."""
        return self._after != START

    @contextmanager
    def expecting(self, command: str) -> Iterator[None]:
        """Keep replies to a command while the block lasts."""
        self._asked.add(command)
        try:
            yield
        finally:
            self._asked.discard(command)
            self._replies.pop(command, None)

    async def next(self, command: str) -> Reply:
        """Return the next reply to a command that is expected, in order."""
        try:
            while not self._replies[command]:
                if self._flight.asks:
                    await self._flight.wait(command)
                else:
                    await self._read()
            return self._replies[command].popleft()
        finally:
            self._flight.leave()

    async def _read(self) -> None:
        self._flight.asks = True
        try:
            replies = await self._exchange.acall(
                AwaitReply(self._session, self.client, self._after, wait_ms=_LONGEST_WAIT_MS)
            )
            for reply in replies:
                self._after = reply.id
                if reply.in_reply_to in self._asked:
                    self._replies[reply.in_reply_to].append(reply)
                    self._flight.wake(reply.in_reply_to)
        finally:
            self._flight.asks = False
