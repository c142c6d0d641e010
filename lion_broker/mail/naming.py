"""What people call what has no name of its own: the same in commands, on pages and in Python."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .records import SessionRecord

__all__ = ["DEFAULT_BRANCH", "default_of"]

DEFAULT_BRANCH: Final = "(default)"
"""A branch that stands for its session and has no name."""


def default_of(record: SessionRecord) -> str:
    """Return the id of the branch that stands for a session, if it has one."""
    # Help of commands imports this module, and needs no more than it prints.
    from pydantic_core import from_json

    found = from_json(record.fields.get("default_branch", "null"))
    return found if isinstance(found, str) else ""
