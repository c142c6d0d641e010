"""Keeping the cycle collector out of the way where very many objects are made that have no cycles."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["collector_paused"]


@contextmanager
def collector_paused() -> Iterator[None]:
    """Within this, which must be short and must not wait, garbage of cycles is not looked for; nested use is fine.

    The collector looks at all new objects again and again while they are being made, for a long history as long as
    making them takes.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
