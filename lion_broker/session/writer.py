"""Makes a session out of what another one holds: hidden and at rest until all of it is there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from pydantic_core import from_json, to_json

from lion_broker.errors import BrokerError, ItemExistsError
from lion_broker.mail.exchange import Steps, ask, ask_all
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import BranchRecord, DeadLetter, LogRecord, Record
from lion_broker.mail.verbs import (
    IMPORTING,
    CloseBranch,
    CreateBranch,
    CreateSession,
    DeleteSession,
    Pause,
    ReadBranches,
    Restore,
    Resume,
    Verb,
)
from lion_broker.mail.wire import WireMail

from .reader import IMPORTED, Piece

__all__ = ["SessionWriter"]

V = TypeVar("V")

_AT_ONCE: Final = 100
"""Branches that are made, or set free, in one round trip."""
_ROWS: Final = 200
_BYTES: Final = 1024 * 1024
"""What one call puts back at most, unless it is one row: with more it would hold the server for long."""


@dataclass(slots=True)
class SessionWriter:
    """A session `session` that takes what `origin` held: its branches keep their ids, mail is addressed anew."""

    session: str
    origin: str
    part: int = 0
    branches: tuple[BranchRecord, ...] = ()
    begun: bool = False
    seen: bool = False
    """Whether it can be opened by now: then it stays, whatever happens."""

    def create_steps(
        self, fields: Mapping[str, str], cap: int, cap_bytes: int, branches: Iterable[BranchRecord], mark: str
    ) -> Steps[None]:
        """Create the session, which nobody can open yet, and its branches, which take no turns yet.

        Raises ItemExistsError when the id is taken.
        """
        hidden = {**fields, IMPORTING: to_json(mark).decode()}
        if (yield from ask(CreateSession(self.session, hidden, cap, cap_bytes))) is not Outcome.OK:
            raise ItemExistsError(f"The session {self.session} exists already; remove it first, or take another id.")
        self.begun = True
        self.branches = tuple(one for one in branches if one.id != self.origin)
        for first in range(0, len(self.branches), _AT_ONCE):
            yield from ask_all([verb for one in self.branches[first : first + _AT_ONCE] for verb in self._made(one)])

    def _made(self, branch: BranchRecord) -> list[Verb[Outcome]]:
        create = CreateBranch(self.session, branch.seed, (), copies=branch.copies)
        return [create, Pause(self.session, branch.id, branch.paused or IMPORTED)] if branch.seed.pool else [create]

    def write_steps(self, piece: Piece) -> Steps[None]:
        """Put a piece back, in parts that do not hold the server for long."""
        home = self._name(piece.branch)
        rows = [self._row(row) for row in piece.rows]
        mails = [replace(one, mail=self._mail(one.mail)) for one in piece.mails]
        dead = [self._letter(letter) for letter in piece.dead]
        while rows or mails or dead:
            part_rows = _taken(rows, [len(row.record.body) + len(row.record.head) for row in rows])
            part_mails = () if part_rows else _taken(mails, [_weight(one.mail) for one in mails])
            part_dead = () if part_rows or part_mails else _taken(dead, [_weight(one.mail) for one in dead])
            part = Restore(self.session, home, self.part + 1, part_rows, piece.where, part_mails, part_dead)
            yield from self._part_steps(part)

    def finish_steps(self) -> Steps[None]:
        """Let the session be seen, and its branches take turns. What was paused stays so."""
        closed = [one for one in self.branches if one.state != "open"]
        for one in closed:
            yield from ask(CloseBranch(self.session, one.id))
        yield from self._part_steps(Restore(self.session, self.session, self.part + 1, done=True))
        self.seen = True
        resting = [one.id for one in self.branches if one.seed.pool and one.state == "open" and not one.paused]
        for first in range(0, len(resting), _AT_ONCE):
            stand = yield from ask(ReadBranches(self.session, tuple(resting[first : first + _AT_ONCE])))
            # Those of a pool that is paused began so, and stay.
            yield from ask_all([Resume(self.session, one.id) for one in stand if one.paused == IMPORTED])

    def abort_steps(self) -> Steps[None]:
        """Remove what has been made so far, unless it can be seen already."""
        while self.begun and not self.seen and (yield from ask(DeleteSession(self.session))):
            pass

    def _part_steps(self, part: Restore) -> Steps[None]:
        outcome = yield from ask(part)
        if outcome not in (Outcome.OK, Outcome.ALREADY):
            raise BrokerError(
                f"The session {self.session} could not be filled ({outcome}): somebody else has changed or removed it."
            )
        self.part = part.part

    def _name(self, branch: str) -> str:
        return self.session if branch == self.origin else branch

    def _mail(self, mail: WireMail) -> WireMail:
        header = mail.header
        if self.session == self.origin:
            return mail
        sender, recipient = self._name(header.sender), self._name(header.recipient)
        addressed = header._replace(session=self.session, sender=sender, recipient=recipient)
        return WireMail(addressed, mail.body, value=mail.value)

    def _letter(self, letter: DeadLetter) -> DeadLetter:
        return replace(letter, branch=self._name(letter.branch), mail=letter.mail and self._mail(letter.mail))

    def _row(self, row: LogRecord) -> LogRecord:
        """A row whose mail, if it has one, is addressed anew; what cannot be read stays as it is."""
        if not row.record.head or self.session == self.origin:
            return row
        try:
            head = from_json(row.record.head)
            head |= {name: self._name(head[name]) for name in ("session", "sender", "recipient") if name in head}
        except (TypeError, ValueError):
            return row
        return replace(row, record=Record(row.record.kind, row.record.body, to_json(head)))


def _weight(mail: WireMail | None) -> int:
    return len(mail.head) + len(mail.body) if mail else 0


def _taken(values: list[V], weights: list[int]) -> tuple[V, ...]:
    """Take the first values out of a list, as many as fit into a call; a large one goes alone."""
    count, weight = 0, 0
    for one in weights[:_ROWS]:
        weight += one
        if count and weight > _BYTES:
            break
        count += 1
    taken = tuple(values[:count])
    del values[:count]
    return taken
