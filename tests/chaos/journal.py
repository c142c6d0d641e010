"""What a sender knows of its mail, on disk before and after each post: intended, then acked or unknown.

Lines of JSON, each synced: {"first": 7, "to": [ids]} before mails 7, 8, … are posted, {"first": 7, "fate": "acked"}
when the post was answered, "unknown" when nobody will ever say. A sender that was killed goes on from its journal: what
it had intended and not settled is unknown.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

__all__ = ["Account", "Fate", "Journal"]


class Fate(StrEnum):
    """What a sender knows of a mail."""

    ACKED = "acked"
    UNKNOWN = "unknown"


@dataclass
class Account:
    """What a journal says: where each numbered mail went, and its fate. One that is `open` has none yet."""

    recipients: dict[int, str] = field(default_factory=dict)
    fates: dict[int, Fate] = field(default_factory=dict)
    open: list[int] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a journal; its last line may be torn, and then nothing was posted because of it."""
        account = cls()
        for line in path.read_bytes().splitlines() if path.exists() else ():
            try:
                row: dict[str, Any] = json.loads(line)
            except ValueError:
                continue
            if "to" in row:
                account.open = list(range(row["first"], row["first"] + len(row["to"])))
                account.recipients.update(zip(account.open, row["to"], strict=True))
            else:
                account.fates.update(dict.fromkeys(account.open, Fate(row["fate"])))
                account.open = []
        return account

    @property
    def following(self) -> int:
        """The number of the next mail."""
        return len(self.recipients)


class Journal:
    """Writes a journal on: what an earlier process has left open is unknown."""

    def __init__(self, path: Path) -> None:
        account = Account.read(path)
        self.following = account.following
        self._path = path
        # The end of a torn line, if there is one.
        self._append(b"\n")
        self._first = account.open[0] if account.open else self.following
        if account.open:
            self.settle(Fate.UNKNOWN)

    def intend(self, recipients: list[str]) -> None:
        """Write down which mails are posted next."""
        self._first = self.following
        self._append(json.dumps({"first": self._first, "to": recipients}).encode() + b"\n")
        self.following += len(recipients)

    def settle(self, fate: Fate) -> None:
        """Write down what came of them."""
        self._append(json.dumps({"first": self._first, "fate": fate}).encode() + b"\n")

    def _append(self, line: bytes) -> None:
        with self._path.open("ab", buffering=0) as file:
            file.write(line)
            os.fsync(file.fileno())
