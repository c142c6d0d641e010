"""Pieces of ids: which ids a text means that a person has typed, and what the beginning of one tells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

__all__ = ["LEAST_END", "begins", "matching_ids", "ms_of"]

LEAST_END: Final = 4
"""So many characters of an id's end are needed to mean it."""


def matching_ids(ids: Sequence[str], text: str) -> list[str]:
    """Return those of some ids that a text means: it is one, begins some, or with four characters or more ends some."""
    piece = text.strip().strip("…").lower()
    if piece in ids:
        return [piece]
    begun = [] if text.startswith("…") else [one for one in ids if one.startswith(piece)]
    return begun or [one for one in ids if len(piece) >= LEAST_END and one.endswith(piece)]


def begins(piece: str) -> bool:
    """Whether a piece of an id is the beginning of one: the dash stands where only a beginning has it."""
    return piece[8:9] == "-"


def ms_of(piece: str, rest: str = "0") -> int:
    """When an id that begins so was made, in ms (RFC 9562, version 7), if `rest` follows; 0 for another id."""
    try:
        return int(piece.replace("-", "")[:12].ljust(12, rest), 16)
    except ValueError:
        return 0
