"""Waiting without sleeping: ask until it is so, and say what was seen when it never is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

__all__ = ["wait_until"]

T = TypeVar("T")

_PAUSE_SECONDS = 0.01


def wait_until(met: Callable[[], T | None], seconds: float = 10.0) -> T:
    """Ask again until the answer is true and return it; AssertionError after `seconds`."""
    pause, end = threading.Event(), time.monotonic() + seconds
    while not (answer := met()):
        assert time.monotonic() < end, f"not met within {seconds} s; the last answer was {answer!r}"
        pause.wait(_PAUSE_SECONDS)
    return answer
