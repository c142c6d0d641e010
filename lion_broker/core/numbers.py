"""Numbers that somebody else has given: seconds, prices."""

from __future__ import annotations

import sys
from typing import Final

__all__ = ["is_amount"]

_LARGEST: Final = sys.float_info.max


def is_amount(value: object, most: float = _LARGEST) -> bool:
    """Return whether a value is a number from 0 to `most`: no bool, no NaN, nothing that no float can hold."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= most
