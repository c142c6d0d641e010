"""The way of one turn to the server and back, which may have to wait for its time."""

from __future__ import annotations

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

    `mails` is how many came with the answer; whoever knows it writes it down.
    """

    __slots__ = ("_ends_turn", "_schedule", "expected", "free", "mails", "session")

    def __init__(self, schedule: Schedule, session: str, expected: float, ends_turn: bool) -> None:
        self._schedule = schedule
        self._ends_turn = ends_turn
        self.session = session
        self.expected = expected
        self.mails = 0
        self.free: anyio.Event | None = None
        """What it waits for, where it has to wait."""

    def __aenter__(self) -> Awaitable[None]:
        return _AT_ONCE if self._schedule.sets_out(self) else self._schedule.set_out_later(self)

    def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> Awaitable[None]:
        self._schedule.come_back(self, ends_turn=self._ends_turn)
        return _AT_ONCE
