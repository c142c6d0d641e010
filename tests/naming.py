"""Names for the cases of a parametrised test."""

from __future__ import annotations

import re

__all__ = ["stable"]

_PASSING = re.compile(r" at 0x[0-9a-f]+|\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")


def stable(value: object) -> str:
    """Return a text for a value that is the same in every process: without addresses and ids."""
    return _PASSING.sub("", repr(value))
