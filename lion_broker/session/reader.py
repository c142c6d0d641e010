"""Reads all that a session holds, branch by branch and page by page, for whoever writes it down or copies it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from lion_broker.branch.directory import gone
from lion_broker.errors import ConfigError
from lion_broker.mail.exchange import PAUSE, Steps, ask, ask_all
from lion_broker.mail.records import START, BranchRecord, DeadLetter, LogRecord, SessionRecord
from lion_broker.mail.verbs import IMPORTING, ReadBranches, ReadDead, ReadLog, ReadSession, ReadWaiting, Verb
from lion_broker.mail.verbs.archive import Kept
from lion_broker.mail.waiting import Waiting, WaitsAt
from lion_broker.mail.wire import WireMail

__all__ = ["EXPORTED", "IMPORTED", "Piece", "SessionReader", "Survey"]

EXPORTED: Final = "being exported"
IMPORTED: Final = "being imported"
"""Reasons for which branches rest while a copy is made: no reasons of their own, so no copy has them."""

_MOST_ROWS: Final = 250
_BYTES: Final = 2 * 1024 * 1024
"""About what one page of a log has; the first page of a log is a single row, whose size tells how many fit."""

_ORDER: Final = (
    WaitsAt.LANES,
    WaitsAt.MAILBOX,
    WaitsAt.INBOX,
    WaitsAt.TRANSIT,
    WaitsAt.OUTBOX,
    WaitsAt.DELAYED,
)
"""The oldest mail of a sender first."""

Emit = Callable[["Piece"], Steps[None]]


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of what a session holds: of one branch, rows of its log, waiting mail, or dead letters of the session."""

    branch: str
    rows: tuple[LogRecord, ...] = ()
    where: WaitsAt = WaitsAt.MAILBOX
    mails: tuple[Kept, ...] = ()
    dead: tuple[DeadLetter, ...] = ()


@dataclass(frozen=True, slots=True)
class Survey:
    """The session's record and its branches: closed ones that others were split off from first, then in order."""

    record: SessionRecord
    branches: tuple[BranchRecord, ...]


@dataclass(slots=True)
class SessionReader:
    """A session that is read. `left_out` counts entries that are no mail and cannot be read as one."""

    session: str
    left_out: int = 0
    mails: int = 0
    rows: int = 0
    dead: int = 0
    _seen: dict[str, tuple[object, ...]] = field(default_factory=dict)

    def survey_steps(self) -> Steps[Survey]:
        """Look at the session and its branches; raises ItemNotFoundError, ConfigError for one that is imported now."""
        record = yield from ask(ReadSession(self.session))
        if record is None:
            raise gone(self.session)
        if IMPORTING in record.fields:
            raise ConfigError(f"The session {self.session} is being imported; try again when that is done.")
        own = yield from ask(ReadBranches(self.session, ids=(self.session,)))
        branches = [*own, *(yield from self._open_steps())]
        self._seen = {one.id: _stand(one) for one in branches}
        return Survey(record, (*(yield from self._origins_steps(branches)), *branches))

    def emit_steps(self, survey: Survey, emit: Emit, with_mail: bool) -> Steps[None]:
        """Hand out all that the branches hold: waiting mail before the log, so that none is missed; then dead letters.

        A mail that is handled meanwhile may be in both; whoever reads the log knows it.
        """
        for branch in survey.branches:
            if with_mail and branch.state == "open":
                yield from self._stations_steps(branch.id, emit)
            yield from self._log_steps(branch, emit)
            yield PAUSE
        after = START
        while with_mail and (letters := (yield from ask(ReadDead(self.session, after, 100)))):
            after = letters[-1].id
            self.dead += len(letters)
            yield from emit(Piece(self.session, dead=letters))

    def is_steady_steps(self) -> Steps[bool]:
        """Whether the branches stand where they stood in the survey."""
        own = yield from ask(ReadBranches(self.session, ids=(self.session,)))
        return {one.id: _stand(one) for one in (*own, *(yield from self._open_steps()))} == self._seen

    def _open_steps(self) -> Steps[list[BranchRecord]]:
        found: list[BranchRecord] = []
        while page := (yield from ask(ReadBranches(self.session, start=len(found)))):
            found += page
        return found

    def _origins_steps(self, branches: Iterable[BranchRecord]) -> Steps[list[BranchRecord]]:
        """The removed branches whose logs others refer to, those that were there first in front."""
        known = {one.id for one in branches}
        found: list[BranchRecord] = []
        wanted = {one.copies for one in branches if one.copies} - known
        while wanted:
            page = yield from ask(ReadBranches(self.session, ids=tuple(sorted(wanted))))
            found = [*page, *found]
            known |= wanted
            wanted = {one.copies for one in page if one.copies} - known
        return found

    def _stations_steps(self, branch: str, emit: Emit) -> Steps[None]:
        verbs: list[Verb[tuple[Waiting, ...]]] = [ReadWaiting(self.session, branch, one, whole=True) for one in _ORDER]
        pages = yield from ask_all(verbs)
        for where, first in zip(_ORDER, pages, strict=True):
            page = first
            while page:
                mails = [
                    Kept(one.mail, _due(where, one), one.straight) for one in page if isinstance(one.mail, WireMail)
                ]
                self.left_out += len(page) - len(mails)
                self.mails += len(mails)
                if mails:
                    yield from emit(Piece(branch, where=where, mails=tuple(mails)))
                last = page[-1]
                page = yield from ask(ReadWaiting(self.session, branch, where, last.place, last.lane, whole=True))

    def _log_steps(self, branch: BranchRecord, emit: Emit) -> Steps[None]:
        at, count = (0, 0), 1
        while rows := (yield from ask(ReadLog(self.session, branch.id, *at, count))):
            # What is written after the survey belongs to a later moment.
            kept = tuple(row for row in rows if row.version <= branch.version)
            self.rows += len(kept)
            if kept:
                yield from emit(Piece(branch.id, rows=kept))
            if len(kept) < len(rows):
                return
            at = (rows[-1].version, rows[-1].place)
            weights = [len(row.record.body) + len(row.record.head) + 1 for row in rows]
            weight = max(*weights, sum(weights) // count)
            count = max(1, min(_MOST_ROWS, count * 4, _BYTES // weight))


def _due(where: WaitsAt, one: Waiting) -> int:
    """When a mail is to be delivered; what is to be tried again is tried at once."""
    return 0 if where is WaitsAt.LANES else one.due


def _stand(branch: BranchRecord) -> tuple[object, ...]:
    waiting = (branch.waiting, branch.inbox, branch.outbox, branch.deferred, branch.delayed)
    return (branch.version, branch.cursor, branch.state, waiting)
