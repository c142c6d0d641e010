"""One branch among several, as a model of their correspondence has it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import Claimed, Entry
from lion_broker.mail.verbs import Commit
from tests.conformance.road import Stand

LIVING = 60_000
"""A lease that does not run out, in ms."""


@dataclass
class Place:
    """A branch as the model has it: `mark` is `absent`, `queued` or `read`; a mail is `[sender, recipient, number]`.

    With a queued mark that `gives` its reader becomes the owner.
    """

    name: str
    open: bool = True
    mark: str = "absent"
    gives: bool = False
    entry: str = ""
    mailbox: list[Any] = field(default_factory=list)
    inbox: list[Any] = field(default_factory=list)
    outbox: list[Any] = field(default_factory=list)
    transit: list[Any] = field(default_factory=list)
    handled: list[Any] = field(default_factory=list)
    owner: str = ""
    lease_ms: int = LIVING
    stand: Stand = field(default_factory=lambda: Claimed(Outcome.GONE))
    holds: list[Entry] = field(default_factory=list)
    fenced: list[Commit] = field(default_factory=list)
    last: Commit | None = None

    @property
    def ready(self) -> bool:
        """Whether a worker could take it now."""
        return self.mark != "absent" and not self.lives

    @property
    def owned(self) -> bool:
        """Whether somebody has it, alive or not."""
        return bool(self.owner)

    @property
    def lives(self) -> bool:
        """Whether its owner's lease does not run out."""
        return bool(self.owner) and self.lease_ms == LIVING

    def put_first(self, start: int, come: list[Any]) -> None:
        """Put mails first, behind so many others: rounds mix senders as they like, but keep the order of each."""
        rest = self.mailbox[start:]
        for mail in come:
            assert mail == next((other for other in rest if other[0] == mail[0]), None)
            rest.remove(mail)
        self.mailbox[start:] = [*come, *rest]
