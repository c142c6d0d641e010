"""Settings of Python's garbage collector for a process that does nothing but serve branches."""

from __future__ import annotations

import gc
from typing import Final

__all__ = ["settle"]

_YOUNG: Final = 200_000
"""Containers made and not dropped before the youngest are looked through: more than a hundred large turns have in hand.

That holds all branches up for 10 to 20 ms each time, and finds nothing: what a worker lets go of is freed by then.
"""
_MIDDLE: Final = 5
_OLD: Final = 20


def settle() -> None:
    """Keep what the process has loaded out of all further collections, and make those of old objects rare.

    A worker makes and drops thousands of small objects a turn, nearly all of which go by reference count. With the
    defaults all modules and all warm branches are looked through again every few turns, for some 0.2 s each time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
