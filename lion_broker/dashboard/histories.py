"""The mail of sessions as their logs tell it, kept between pages so that each page reads only what is new.

Reading goes on beside the pages, a task a session: a page waits for a moment, and shows what is there by then. Of a
large session the newest is read, and pages say of how much.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from lion_broker.core.numbers import counted
from lion_broker.errors import ItemNotFoundError
from lion_broker.insight.passages import Passages
from lion_broker.insight.recent import RecentHistory
from lion_broker.mail.exchange import Exchange, arun

__all__ = ["PATIENCE_SECONDS", "Histories", "Known", "Progress"]

_KEPT: Final = 6
_AT_ONCE: Final = 2
PATIENCE_SECONDS: Final = 1.0
_REST: Final = 4.0
"""For so many times as long as a reading took, the session is not read again; a page waits for that if it may."""
_WAITING: Final = 2_000
"""Mails that wait, and dead letters, that are looked at."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How much of a session pages show: the logs of `logs` of `branches` branches, `mails` mails.

    `whole` says that reading is done for now, `cut` that older mail or other branches are left out; `waiting_cut` that
    more mail waits, or is dead, than was looked at.
    """

    logs: int
    branches: int
    mails: int
    whole: bool
    cut: bool
    waiting_cut: bool

    @property
    def note(self) -> str:
        """What is left out, in a sentence; empty when nothing is."""
        some = f"{self.logs:,} of " if self.logs < self.branches else ""
        of = f"{counted(self.mails, 'mail')} of {some}{counted(self.branches, 'branch')}"
        if not self.whole:
            return f"Still reading: {of} so far."
        return f"There is more than is shown here, which is the newest: {of}." if self.cut else ""

    @classmethod
    def together(cls, several: Sequence[Progress]) -> Progress:
        """How much of several sessions pages show."""
        return cls(
            sum(one.logs for one in several),
            sum(one.branches for one in several),
            sum(one.mails for one in several),
            all(one.whole for one in several),
            any(one.cut for one in several),
            any(one.waiting_cut for one in several),
        )


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a session's mail, and of how much."""

    passages: Passages
    progress: Progress


@dataclass(slots=True)
class _Kept:
    history: RecentHistory
    passages: Passages
    task: asyncio.Task[None] | None = None
    read_at: float = 0.0
    took: float = 0.0
    complete: bool = False
    failed: Exception | None = field(default=None)

    def known(self) -> Known:
        """What is known by now."""
        history, pending = self.history, self.passages.pending
        whole = self.complete and self.task is None
        mails = len(history.stories)
        cut = history.cut or history.left_out > 0
        return Known(self.passages, Progress(history.logs, history.total, mails, whole, cut, pending.left_out))


class Histories:
    """Reads the logs of the sessions that are looked at, two at once, and keeps the last six."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._places = asyncio.Semaphore(_AT_ONCE)

    async def read(self, session: str, branch: str = "", *, seconds: float = PATIENCE_SECONDS) -> Known:
        """Return what is known of a session's mail after so many seconds; raises ItemNotFoundError, BrokerUnavailable.

        With `branch`, the log of that one is read if it was not.
        """
        kept = self._keep(session)
        asked = bool(branch) and branch not in kept.history.wanted
        if asked:
            kept.history.wanted.append(branch)
        until = time.monotonic() + seconds
        # What is being read may have passed the place where something new stands: it is read again behind that.
        await self._wait(kept, until)
        now = time.monotonic()
        rest = 0.0 if asked else kept.read_at + kept.took * _REST - now
        if kept.task is None and kept.failed is None and rest < until - now:
            kept.task = asyncio.create_task(self._read(kept, rest), name=f"history of {session}")
            await self._wait(kept, until)
        if (failed := kept.failed) is not None:
            kept.failed = None
            raise failed
        return kept.known()

    async def read_all(self, sessions: Sequence[str], *, seconds: float = PATIENCE_SECONDS) -> list[Known | None]:
        """Do the same for several, side by side; None for those that are gone meanwhile. Raises BrokerUnavailable."""
        found = await asyncio.gather(*(self.read(one, seconds=seconds) for one in sessions), return_exceptions=True)
        known: list[Known | None] = []
        for one in found:
            if isinstance(one, BaseException) and not isinstance(one, ItemNotFoundError):
                raise one
            known.append(None if isinstance(one, BaseException) else one)
        return known

    def stop(self) -> None:
        """Read no more."""
        for kept in self._kept.values():
            if kept.task is not None:
                kept.task.cancel()

    def _keep(self, session: str) -> _Kept:
        kept = self._kept.get(session)
        if kept is None:
            history = RecentHistory(session)
            kept = self._kept[session] = _Kept(history, Passages(session, history=history, pending=_WAITING))
        self._kept.move_to_end(session)
        while len(self._kept) > _KEPT:
            _, oldest = self._kept.popitem(last=False)
            if oldest.task is not None:
                oldest.task.cancel()
        return kept

    async def _wait(self, kept: _Kept, until: float) -> None:
        if kept.task is not None:
            await asyncio.wait([kept.task], timeout=max(0.0, until - time.monotonic()))

    async def _read(self, kept: _Kept, rest: float) -> None:
        begun = time.monotonic()
        try:
            if rest > 0:
                await asyncio.sleep(rest)
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
