"""What may be told a little later is told in bulk: alone it would be cold code each time, at several times the cost.

A worker says something of each turn, a few milliseconds apart, and what a turn does in between leaves nothing of it in
the processor's caches.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from typing import Final

from . import logger

__all__ = ["later", "tell"]

log = logger("telemetry")

_SECONDS: Final = 0.2
"""Nobody waits for a span: OpenTelemetry's batch processor keeps it for seconds."""
_MOST: Final = 32
"""So many take less than half a millisecond."""

_waiting: Final[deque[Callable[[], None]]] = deque()


class _Timer(threading.local):
    """The event loop of this thread that is going to tell what waits."""

    loop: asyncio.AbstractEventLoop | None = None


_timer: Final = _Timer()


def later(one: Callable[[], None]) -> None:
    """Have something told soon, at the latest by the `tell` of whoever stops; without an event loop, now."""
    _waiting.append(one)
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        tell()
        return
    if len(_waiting) >= _MOST:
        tell()
    elif _timer.loop is not loop:
        # An earlier loop may have ended before its time.
        _timer.loop = loop
        loop.call_later(_SECONDS, _on_time)


def _on_time() -> None:
    _timer.loop = None
    tell()


def tell() -> None:
    """Tell what waits."""
    while _waiting:
        try:
            one = _waiting.popleft()
        except IndexError:  # another thread tells the same
            return
        try:
            one()
        except Exception:  # what is said of the work must not stop it
            log.exception("a span could not be made")
