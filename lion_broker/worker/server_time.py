"""The server's clock as a worker knows it: from what the server says, and what has passed since."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

__all__ = ["ServerTime"]

_SAMPLES: Final = 64


class ServerTime:
    """Follows the server's clock; `clock` counts seconds, from anywhere. The machine's own time of day is not asked.

    What the server has said is some time old when it is heard, and never ahead: of the latest answers the one that was
    quickest counts.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._best: float | None = None
        self._coming: float | None = None
        self._heard = 0

    def heard(self, now_ms: int) -> None:
        """Note what time it is, as an answer that has just come says."""
        ahead = now_ms - self._clock() * 1000
        self._coming = ahead if self._coming is None else max(self._coming, ahead)
        self._heard += 1
        if self._best is None or ahead > self._best:
            self._best = ahead
        if self._heard >= _SAMPLES:
            # A clock that was set back is followed, too.
            self._best, self._coming, self._heard = self._coming, None, 0

    @property
    def now_ms(self) -> int | None:
        """The server's time, in ms since the epoch; None while nothing is known of it."""
        return None if self._best is None else int(self._best + self._clock() * 1000)
