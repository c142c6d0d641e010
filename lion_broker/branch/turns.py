"""Which turn of a worker is going on, and whether what somebody does belongs to it."""

from __future__ import annotations

from contextvars import ContextVar, Token
from typing import Final, Self

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
        self._entered: Token[object | None] | None = None

    @property
    def going_on(self) -> bool:
        """Whether there is a turn now."""
        return self._now is not None

    def enter(self) -> Self:
        """Within this things may be done, by this task and by those that it starts."""
        return self

    # No context manager that is made of a generator: for a single mail that is a part of its turn to reckon with.
    def __enter__(self) -> None:
        self._now = object()
        self._entered = _MINE.set(self._now)

    def __exit__(self, *error: object) -> None:
        if self._entered is not None:
            _MINE.reset(self._entered)
        self._now = self._entered = None

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
