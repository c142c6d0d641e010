"""Which turn of a worker is going on, and whether what somebody does belongs to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from lion_broker.errors import BranchError

__all__ = ["Turns"]

_MINE: Final[ContextVar[object | None]] = ContextVar("lion_broker_turn", default=None)
"""The turn in which this task was started."""


class Turns:
    """The turns of one branch: `enter` begins one, which ends with the block; one is going on at a time.

    `needed` says that nothing may be done outside of a turn, because nobody would commit it: so it is on workers.
    """

    def __init__(self, *, needed: bool) -> None:
        self._needed = needed
        self._now: object | None = None

    @property
    def going_on(self) -> bool:
        """Whether there is a turn now."""
        return self._now is not None

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Within this things may be done, by this task and by those that it starts."""
        self._now = object()
        entered = _MINE.set(self._now)
        try:
            yield
        finally:
            _MINE.reset(entered)
            self._now = None

    def check(self, branch: str) -> None:
        """Raise BranchError for what belongs to no turn where one is needed, or to a turn that has ended.

        A thread may not know in which turn it was started; then the one that is going on will do.
        """
        if self._needed and (self._now is None or _MINE.get() not in (None, self._now)):
            raise BranchError(
                f"The turn has ended: nothing more is sent or stored for it by the branch {branch}. A behaviour awaits"
                " what it has started before it returns; for what takes longer, send a mail to the branch."
            )

    def __repr__(self) -> str:
        return f"Turns({'going on' if self._now is not None else 'none'})"
