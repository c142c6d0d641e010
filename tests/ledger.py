"""What the logs of a session say about its mail: what took effect, how often, and in which order."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import from_json

from lion_broker.branch.journal import Kind
from lion_broker.mail.exchange import Exchange
from lion_broker.mail.records import LogRecord
from lion_broker.mail.verbs import ReadBranches, ReadLog
from lion_broker.mail.wire import Header, decode_header

__all__ = ["Ledger", "log_of"]


def log_of(exchange: Exchange, session: str, branch: str) -> tuple[LogRecord, ...]:
    """The whole log of a branch."""
    found: list[LogRecord] = []
    at = (0, 0)
    while page := exchange.call(ReadLog(session, branch, *at)):
        found += page
        at = (page[-1].version, page[-1].place)
    return tuple(found)


@dataclass
class Ledger:
    """Which mails took effect on which branch, read from the logs and nothing else."""

    effects: Counter[str] = field(default_factory=Counter)
    taken: dict[str, list[Header]] = field(default_factory=dict)
    texts: dict[str, list[Any]] = field(default_factory=dict)
    sent: dict[str, tuple[str, str]] = field(default_factory=dict)
    versions: dict[str, list[int]] = field(default_factory=dict)

    @classmethod
    def of(cls, exchange: Exchange, session: str) -> Ledger:
        """Read the logs of all branches of a session, and of the session itself."""
        ledger = cls()
        records = exchange.call(ReadBranches(session))
        for branch in (*(record.id for record in records), session):
            ledger._read(branch, log_of(exchange, session, branch))
        return ledger

    def _read(self, branch: str, rows: tuple[LogRecord, ...]) -> None:
        self.taken[branch], self.texts[branch] = [], []
        self.versions[branch] = sorted({row.version for row in rows})
        for row in rows:
            if row.record.kind == Kind.MAIL:
                header = decode_header(row.record.head)
                self.effects[header.id] += 1
                self.taken[branch].append(header)
                said = from_json(row.record.body)["item"]
                self.texts[branch].append(said if isinstance(said, str) else said["content"].get("instruction"))
            elif row.record.kind == Kind.TOOK:
                self.effects[from_json(row.record.body)["mail"]] += 1
            elif row.record.kind == Kind.SENT:
                for mail, recipient, category in from_json(row.record.body)["mails"]:
                    self.sent[mail] = (recipient, category)

    def doubles(self) -> list[str]:
        """Mails that took effect more than once."""
        return [mail for mail, times in self.effects.items() if mail and times > 1]

    def gaps(self) -> list[str]:
        """Branches whose log lacks a version."""
        return [branch for branch, found in self.versions.items() if found and found != list(range(1, found[-1] + 1))]

    def reordered(self, branch: str) -> list[Any]:
        """The texts `<sender>:<number>` of a branch that came after a later one of the same sender."""
        last: dict[str, int] = {}
        late = []
        for text in self.texts[branch]:
            sender, _, number = str(text).rpartition(":")
            if int(number) <= last.get(sender, -1):
                late.append(text)
            last[sender] = max(int(number), last.get(sender, -1))
        return late
