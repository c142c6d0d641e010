"""Whether the branches of a worker wait for the worker itself, and when one of them is left to others."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Final

import anyio

from lion_broker.mail.deployment import BEHIND_SECONDS

__all__ = ["Load"]

_LOOK_SECONDS: Final = 0.1
_HELD_SECONDS: Final = 0.5
"""For so long a branch is kept in any case: whoever takes it has to read it."""
_PART: Final = 0.5
"""Of the branches at work, the part that is handed back in a second: few enough where they all come back."""


class Load:
    """How late the event loop of a worker is, and which branches it hands back for that.

    A worker takes as many branches as it has seats, and may then have more to do than it can, while another one that
    was started later, or has done its own, has nothing. Nobody knows that of the other. But what is handed back goes
    to whoever waits for it; where nobody does, the same worker takes it again, behind the branches that wait already.
    `clock` counts seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.late = 0.0
        """How many seconds late a timer was when it was looked at last."""
        self._due = math.inf
        """When the next timer is due; never, before it watches."""
        self._left = 0
        """How many branches were handed back since the last look."""

    async def watch(self) -> None:
        """Look how late a timer is, again and again."""
        while True:
            self._due = self._clock() + _LOOK_SECONDS
            await anyio.sleep(_LOOK_SECONDS)
            self.note(self._clock() - self._due)

    def note(self, late: float) -> None:
        """Take note that a timer was so many seconds late."""
        self.late, self._left = late, 0

    @property
    def late_now(self) -> float:
        """How late it is, also while the event loop does not go on and no timer is looked at; for other threads."""
        return max(self.late, self._clock() - self._due)

    @property
    def behind(self) -> bool:
        """Whether the worker has more to do than it can."""
        return self.late >= BEHIND_SECONDS

    def leaves(self, since: float, active: int) -> bool:
        """Whether a branch that is at work since then, as one of so many, is to be handed back now."""
        if not self.behind or active < 2 or self._clock() < since + _HELD_SECONDS:
            return False
        if self._left >= max(1, int(active * _PART * (_LOOK_SECONDS + self.late))):
            return False
        self._left += 1
        return True
