"""The way of one turn to the server and back, which may have to wait for its time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

import anyio

if TYPE_CHECKING:
    from .schedule import Schedule

__all__ = ["Passage"]


class _AtOnce:
    """What need not be waited for: nearly every turn finds its way free, and makes no coroutine to find that out."""

    __slots__ = ()

    def __await__(self) -> Any:
        return iter(())


_AT_ONCE: Final = _AtOnce()


class Passage:
    """The way of one turn to the server and back, entered with `async with`.

    `heard` is for when the answer has come and was not read yet. `mails` is how many came with it; whoever knows it
    writes it down.
    """

    __slots__ = ("_schedule", "commits", "ends_turn", "expected", "free", "mails", "session", "travels")

    def __init__(self, schedule: Schedule, session: str, expected: float, commits: int | None) -> None:
        self._schedule = schedule
        self.session = session
        self.ends_turn = commits is not None
        self.commits = commits or 0
        self.expected = expected
        self.mails = 0
        self.travels = False
        """Whether it is on its way now, and takes room there."""
        self.free: anyio.Event | None = None
        """What it waits for, where it has to wait."""

    def __aenter__(self) -> Awaitable[None]:
        return _AT_ONCE if self._schedule.sets_out(self) else self._schedule.set_out_later(self)

    async def heard(self) -> None:
        """Make room for others, and let those that waited for it set out: reading the answer takes a while."""
        if self._schedule.arrive(self):
            await asyncio.sleep(0)

    def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> Awaitable[None]:
        self._schedule.come_back(self)
        return _AT_ONCE
