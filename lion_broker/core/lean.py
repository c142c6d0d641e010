"""Frozen dataclasses that are made quickly, for the few kinds of which every turn makes one or several."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

__all__ = ["lean"]

if TYPE_CHECKING:
    # For whoever checks types these are dataclasses like others, and frozen: an assignment to a field is an error.
    from dataclasses import dataclass as lean
else:

    def lean(*, frozen: bool, slots: bool) -> Callable[[type], Any]:
        """Return the decorator of a dataclass that is frozen by its type, and by hash and comparison, alone.

        Python's own way to freeze one has each field set by a call: six times as long for a commit.
        """
        return dataclass(slots=slots, unsafe_hash=frozen)
