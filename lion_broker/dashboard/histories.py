"""The mail of sessions as their logs tell it, kept between pages so that each page reads only what is new.

Reading goes on beside the pages, a task a session: a page waits for a moment, and shows what is there by then.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from lion_broker.insight.passages import Passages
from lion_broker.mail.exchange import Exchange, arun

__all__ = ["Histories", "Known"]

_KEPT: Final = 6
_AT_ONCE: Final = 2
_PATIENCE_SECONDS: Final = 3.0
_REST: Final = 4.0
"""For so many times as long as a reading took, the session is not read again."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a session's mail; `whole` says that everything was read that is there."""

    passages: Passages
    whole: bool


@dataclass(slots=True)
class _Kept:
    passages: Passages
    task: asyncio.Task[None] | None = None
    read_at: float = 0.0
    took: float = 0.0
    complete: bool = False
    failed: Exception | None = field(default=None)


class Histories:
    """Reads the logs of the sessions that are looked at, two at once, and keeps the last six."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._places = asyncio.Semaphore(_AT_ONCE)

    async def read(self, session: str) -> Known:
        """Return what is known of a session's mail by now; raises ItemNotFoundError, BrokerUnavailable."""
        kept = self._kept.setdefault(session, _Kept(Passages(session)))
        self._kept.move_to_end(session)
        self._let_go()
        if kept.task is None and time.monotonic() - kept.read_at >= kept.took * _REST:
            kept.task = asyncio.create_task(self._read(kept), name=f"history of {session}")
        if kept.task is not None:
            await asyncio.wait([kept.task], timeout=_PATIENCE_SECONDS)
        if (failed := kept.failed) is not None:
            kept.failed = None
            raise failed
        return Known(kept.passages, kept.complete and kept.task is None)

    def stop(self) -> None:
        """Read no more."""
        for kept in self._kept.values():
            if kept.task is not None:
                kept.task.cancel()

    async def _read(self, kept: _Kept) -> None:
        try:
            async with self._places:
                begun = time.monotonic()
                await arun(self._exchange, kept.passages.read_steps())
                kept.complete = True
        except Exception as error:
            kept.failed = error
        else:
            kept.read_at = time.monotonic()
            kept.took = kept.read_at - begun
        finally:
            kept.task = None

    def _let_go(self) -> None:
        while len(self._kept) > _KEPT:
            _, oldest = self._kept.popitem(last=False)
            if oldest.task is not None:
                oldest.task.cancel()
