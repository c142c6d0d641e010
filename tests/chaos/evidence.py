"""What the store says at the end: which texts took effect where, in which order, and what became of the others."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import from_json

from lion_broker.branch.journal import Kind
from lion_broker.mail.exchange import Exchange
from lion_broker.mail.records import START
from lion_broker.mail.verbs import ReadBranches, ReadDead, ReadEvents, ReadSession
from lion_broker.mail.wire import decode_header
from tests.ledger import log_of

__all__ = ["Evidence", "Tail", "Trail"]


@dataclass
class Trail:
    """The log of one branch: texts in the order of their effects with mail id, and how many effects had no text."""

    texts: list[tuple[str, str]] = field(default_factory=list)
    took: Counter[str] = field(default_factory=Counter)
    sent: set[str] = field(default_factory=set)
    versions: list[int] = field(default_factory=list)


@dataclass
class Tail:
    """The live tail of a session, read as it grows: which owner made which version of which branch."""

    session: str
    owners: dict[tuple[str, int], list[str]] = field(default_factory=dict)
    at: str = START

    def read(self, exchange: Exchange) -> None:
        """Read what is new; a tail keeps two thousand entries."""
        while page := exchange.call(ReadEvents(self.session, self.at)):
            self.at = page[-1].id
            for one in page:
                if one.kind == "turn" and "owner" in one.fields:
                    turn = one.fields["branch"], int(one.fields["version"])
                    self.owners.setdefault(turn, []).append(one.fields["owner"])

    def shared(self) -> list[str]:
        """Versions that were made more than once."""
        return [f"{branch} {version}: {who}" for (branch, version), who in self.owners.items() if len(who) > 1]


@dataclass
class Evidence:
    """Everything that a session's logs, dead letters and counters say."""

    trails: dict[str, Trail] = field(default_factory=dict)
    dead: dict[str, Counter[str]] = field(default_factory=dict)
    reasons: Counter[str] = field(default_factory=Counter)
    poisoned: Counter[str] = field(default_factory=Counter)
    counters: dict[str, int] = field(default_factory=dict)

    @classmethod
    def read(cls, exchange: Exchange, session: str) -> Evidence:
        """Read it all."""
        found = cls()
        for record in exchange.call(ReadBranches(session)):
            found.trails[record.id] = _trail(exchange, session, record.id)
        after = START
        while page := exchange.call(ReadDead(session, after)):
            after = page[-1].id
            for letter in page:
                text = _text(letter.mail.item()) if letter.mail else f"no mail: {letter.detail}"
                found.dead.setdefault(letter.branch, Counter())[text] += 1
                found.reasons[letter.reason] += 1
                found.poisoned[letter.branch] += letter.reason == "poison"
        stored = exchange.call(ReadSession(session))
        found.counters = dict(stored.counters) if stored else {}
        return found

    @property
    def effects(self) -> int:
        """How many mails took effect."""
        return sum(len(trail.texts) + trail.took.total() for trail in self.trails.values())

    def died(self, branch: str, text: str) -> int:
        """How often a mail became a dead letter of a branch."""
        return self.dead.get(branch, Counter())[text]


def _text(item: Any) -> str:
    said = item["item"]
    return said if isinstance(said, str) else str(said["content"].get("instruction"))


def _trail(exchange: Exchange, session: str, branch: str) -> Trail:
    trail = Trail()
    rows = log_of(exchange, session, branch)
    trail.versions = sorted({row.version for row in rows})
    for row in rows:
        if row.record.kind == Kind.MAIL:
            trail.texts.append((_text(from_json(row.record.body)), decode_header(row.record.head).id))
        elif row.record.kind == Kind.TOOK:
            mail = from_json(row.record.body)["mail"]
            if mail:
                trail.took[mail] += 1
        elif row.record.kind == Kind.SENT:
            trail.sent.update(mail for mail, _, _ in from_json(row.record.body)["mails"])
    return trail
