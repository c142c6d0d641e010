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

__all__ = ["PROTOCOL", "SHARED", "VERBS", "Library", "library"]

PROTOCOL: Final = 6
"""What a namespace's keys mean; a namespace is of one protocol from its first program on."""

VERBS: Final = (
    "open_namespace",
    "open_pool",
    "create_session",
    "update_session",
    "delete_session",
    "create_branch",
    "read_branches",
    "read_waiting",
    "events_kept",
    "close_branch",
    "progress",
    "put_blob",
    "put_blob_of_turn",
    "post",
    "collect",
    "send",
    "receive",
    "claim",
    "commit",
    "dispatch",
    "step",
    "say",
    "cancel",
    "renew",
    "release",
    "sweep",
    "tidy",
    "promote",
    "pause",
    "exhume",
    "withdraw",
    "reserve",
    "settle",
    "read_budgets",
    "audit",
    "enrol",
    "read_workers",
    "order_workers",
    "read_pools",
    "set_wanted",
    "pause_pool",
    "count_mail",
    "read_due",
    "restore",
)
SHARED: Final = ("shared", "blobs", "delivering", "budgets", "due", "outgoing", "moving")


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
    shared = "\n".join(folder.joinpath(f"{part}.lua").read_text(encoding="utf-8") for part in SHARED)
    verbs = "\n".join(f"do\n{folder.joinpath(f'{verb}.lua').read_text(encoding='utf-8')}\nend" for verb in VERBS)
    digest = hashlib.sha256((shared + verbs).encode()).hexdigest()[:8]
    name = f"lion_broker_{PROTOCOL}_{digest}"
    prefix = f"lion{PROTOCOL}_{digest}_"
    return Library(name, prefix, f"#!lua name={name}\nlocal PREFIX = '{prefix}'\n{shared}\n{verbs}\n")
