"""What there is to see of a desk at work, as values; `live` draws it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from lion_broker.mail.records import BranchRecord, Occurrence

__all__ = ["COORDINATOR", "Picture", "Row"]

COORDINATOR: Final = "coordinator"
_LINES: Final = 6


@dataclass(slots=True)
class Row:
    """One branch: on which worker it is or was last, whether a turn of it goes on, and its mails so far."""

    name: str
    worker: str = ""
    at_work: bool = False
    turns: int = 0
    taken: int = 0
    sent: int = 0
    latest: str = ""


@dataclass(slots=True)
class Picture:
    """The desk as it is now: a row a branch, and the latest happenings.

    `worker_of` names the worker that an owner is, `latest_of` returns the newest line of a branch's log; `started` is
    a time of the monotonic clock.
    """

    worker_of: Callable[[str], str]
    latest_of: Callable[[str], str]
    started: float
    rows: dict[str, Row] = field(default_factory=dict)
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=_LINES))

    @property
    def seconds(self) -> float:
        """How long the desk has been at work."""
        return time.monotonic() - self.started

    def place(self, records: list[BranchRecord]) -> None:
        """Take note of where the branches are."""
        for record in records:
            row = self.rows.setdefault(record.id, Row(record.seed.name or COORDINATOR))
            if record.seed.pool:
                row.at_work = record.leased
                row.worker = self.worker_of(record.owner) or row.worker

    def note(self, event: Occurrence) -> None:
        """Take note of something that happened in the session."""
        row = self.rows.get(event.fields.get("branch", ""))
        if row is None or event.kind != "turn":
            return
        row.turns += 1
        row.taken += int(event.fields["handled"])
        row.sent += int(event.fields["sent"])
        if row.name != COORDINATOR and (latest := self.latest_of(event.fields["branch"])):
            row.latest = latest
            self.say(f"{row.name} ({self.worker_of(event.fields['owner'])}): {row.latest}")

    def say(self, line: str) -> None:
        """Add a line to the latest happenings."""
        self.lines.append(f"{self.seconds:5.1f} s  {line}")
