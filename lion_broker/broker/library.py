"""The server-side functions as one library, named by its content.

The hash in the names lets programs of different versions work side by side on one server: each calls the functions
that it was written for.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from lion_broker.mail.wire import PROTOCOL

__all__ = ["VERBS", "Library", "library"]

VERBS: Final = (
    "open_namespace",
    "open_pool",
    "create_session",
    "update_session",
    "delete_session",
    "create_branch",
    "read_branches",
    "close_branch",
    "progress",
    "post",
    "collect",
    "send",
    "receive",
    "claim",
    "begin",
    "commit",
    "step",
    "say",
    "cancel",
    "renew",
    "release",
    "sweep",
    "reserve",
    "settle",
)


@dataclass(frozen=True, slots=True)
class Library:
    """The source to load and the prefix of the function names."""

    name: str
    prefix: str
    source: str


@cache
def library() -> Library:
    """Read the library from the package's files."""
    folder = files(__package__).joinpath("lua")
    shared = folder.joinpath("shared.lua").read_text()
    verbs = "\n".join(f"do\n{folder.joinpath(f'{verb}.lua').read_text()}\nend" for verb in VERBS)
    digest = hashlib.sha256((shared + verbs).encode()).hexdigest()[:8]
    name = f"lion_broker_{PROTOCOL}_{digest}"
    prefix = f"lion{PROTOCOL}_{digest}_"
    return Library(name, prefix, f"#!lua name={name}\nlocal PREFIX = '{prefix}'\n{shared}\n{verbs}\n")
