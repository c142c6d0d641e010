"""Numbers: those that somebody else has given, such as seconds and prices, and those of things, in words."""

from __future__ import annotations

import sys
from typing import Final

__all__ = ["counted", "is_amount"]

_LARGEST: Final = sys.float_info.max


def is_amount(value: object, most: float = _LARGEST) -> bool:
    """Return whether a value is a number from 0 to `most`: no bool, no NaN, nothing that no float can hold."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= most


def counted(number: int, noun: str, many: str | None = None) -> str:
    """Return a number with what is counted: `1 branch`, `2,480 mails`; `many` is for what no rule makes of `noun`."""
    return f"{number:,} {noun if number == 1 else many or _plural(noun)}"


def _plural(noun: str) -> str:
    if noun.endswith(("ch", "s", "sh", "x")):
        return f"{noun}es"
    return f"{noun[:-1]}ies" if noun.endswith("y") and noun[-2] not in "aeiou" else f"{noun}s"
