"""What people call what has no name of its own: the same in commands, on pages and in Python."""

from __future__ import annotations

from typing import Final

__all__ = ["DEFAULT_BRANCH"]

DEFAULT_BRANCH: Final = "(default)"
"""A branch that stands for its session and has no name."""
