"""For how long a server that does not answer is asked again; seconds by the monotonic clock."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import Final

__all__ = ["SLACK", "left_of", "pauses_until"]

_FIRST_PAUSE: Final = 0.02
_LONGEST_PAUSE: Final = 1.0
SLACK: Final = 2.0
"""Seconds beyond the patience that a server has for an answer which it has begun to work on."""


def pauses_until(deadline: float) -> Iterator[float]:
    """Yield pauses that grow, with jitter, until a moment of the monotonic clock."""
    pause = _FIRST_PAUSE
    while (left := deadline - time.monotonic()) > 0:
        yield min(left, pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, no secret
        pause = min(_LONGEST_PAUSE, pause * 2)


def left_of(deadline: float) -> float:
    """Return the seconds for which a server may be silent now; after the deadline as many as a short answer takes."""
    return max(0.0, deadline - time.monotonic()) + SLACK
