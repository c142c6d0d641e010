"""A session as a file, a file as a session, and a session as another one."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import IO, Any, Final

from pydantic_core import from_json, to_json

from lion_broker.core.ids import IDType
from lion_broker.errors import ConfigError, ItemExistsError
from lion_broker.mail.exchange import Steps, ask
from lion_broker.mail.records import BranchRecord, place_of
from lion_broker.mail.verbs import IMPORTING, ReadSession

from .export_format import (
    FORMAT,
    LONGEST_LINE,
    WRONG,
    branch_line,
    branch_of,
    head_line,
    lines_of,
    named,
    piece_of,
    read_line,
    written,
)
from .reader import Piece, SessionReader
from .writer import SessionWriter

__all__ = [
    "Exported",
    "Imported",
    "Plan",
    "checked",
    "export_steps",
    "fork_steps",
    "import_steps",
    "lines_to",
    "writer_of",
]

_KINDS: Final = ("mail", "row", "dead")


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export holds. `steady` says that nothing changed in the session while it was read.

    `left_out` counts entries that were no mail, and that a worker would have buried.
    """

    session: str
    branches: int
    rows: int
    mails: int
    dead: int
    left_out: int
    steady: bool


@dataclass(frozen=True, slots=True)
class Imported:
    """The session that an import, or a fork, has made, and what it holds."""

    session: str
    origin: str
    branches: int
    rows: int
    mails: int
    dead: int
    steady: bool = True


@dataclass(frozen=True, slots=True)
class Plan:
    """An export that was read to its end and found whole: what is to be made of it."""

    head: dict[str, Any]
    branches: tuple[BranchRecord, ...]
    counts: dict[str, int]
    digest: str
    steady: bool

    @property
    def session(self) -> str:
        """The id of the session that was exported."""
        return str(self.head["session"])

    @property
    def size(self) -> int:
        """How many rows, mails and dead letters it has."""
        return sum(self.counts.values())


def export_steps(session: str, write: Callable[[bytes], object]) -> Steps[Exported]:
    """Write all that a session holds, line by line; raises ItemNotFoundError."""
    reader, digest, count = SessionReader(session), hashlib.sha256(), 0

    def put(row: dict[str, Any]) -> None:
        nonlocal count
        line = written(row)
        digest.update(line)
        count += 1
        write(line)

    def emit(piece: Piece) -> Steps[None]:
        for row in lines_of(piece):
            put(row)
        yield from ()

    survey = yield from reader.survey_steps()
    put(head_line(survey.record))
    for branch in survey.branches:
        put(branch_line(branch))
    yield from reader.emit_steps(survey, emit, with_mail=True)
    steady = yield from reader.is_steady_steps()
    write(written({"kind": "end", "lines": count, "sha256": digest.hexdigest(), "steady": steady}))
    branches = survey.record.branches
    return Exported(session, branches, reader.rows, reader.mails, reader.dead, reader.left_out, steady)


def lines_to(file: IO[bytes], step: Callable[[int], None]) -> Callable[[bytes], None]:
    """Return what `export_steps` writes with: each line goes to a file, and is counted."""

    def write(line: bytes) -> None:
        file.write(line)
        step(1)

    return write


def checked(file: IO[bytes]) -> Plan:
    """Read an export to its end; raises ConfigError, naming the line, unless all of it can be imported."""
    digest, number = hashlib.sha256(), 0
    head: dict[str, Any] = {}
    branches: dict[str, BranchRecord] = {}
    counts, at, end = dict.fromkeys(_KINDS, 0), dict[str, tuple[int, int]](), dict[str, Any]()
    while raw := file.readline(LONGEST_LINE + 1):
        number += 1
        if end or len(raw) > LONGEST_LINE:
            raise ConfigError(f"Line {number} of the export {'stands behind its end' if end else 'is too long'}.")
        row = read_line(raw, number)
        try:
            if row["kind"] == "end":
                end = _checked_end(row, number - 1, digest.hexdigest())
                continue
            digest.update(raw)
            if not head:
                head = _checked_head(row)
            elif row["kind"] == "branch":
                _note_branch(row, branches, sum(counts.values()))
            else:
                _note(row, str(head["session"]), branches, at)
                counts[row["kind"]] += 1
        except WRONG as error:
            raise named(number, error) from error
    if not number:
        raise ConfigError("The export is empty. Export the session again; nothing was imported.")
    if not end:
        raise ConfigError(f"The export ends in line {number}, before its end: it was cut off. Nothing was imported.")
    return Plan(head, tuple(branches.values()), counts, str(end["sha256"]), bool(end["steady"]))


def writer_of(plan: Plan, same_id: bool) -> SessionWriter:
    """Return where an export goes: a new session, or with `same_id` the one with the id that it had."""
    return SessionWriter(plan.session if same_id else IDType.create(), plan.session)


def import_steps(
    plan: Plan, file: IO[bytes], writer: SessionWriter, step: Callable[[int], None] = lambda count: None
) -> Steps[Imported]:
    """Make a session of a checked export, whose file is read once more; on an error nothing of it stays.

    `step` is told how many more of the rows, mails and letters that `plan.size` counts are there. Raises
    ItemExistsError when there is such a session; one that an import has left unfinished is begun anew.
    """
    yield from _make_way_steps(writer)
    fields, caps = plan.head["fields"], (plan.head["cap"], plan.head["cap_bytes"])
    try:
        yield from writer.create_steps(fields, *caps, plan.branches, plan.digest)
        for piece in _pieces(file, plan.session):
            yield from writer.write_steps(piece)
            step(len(piece.mails) + len(piece.rows) + len(piece.dead))
    except Exception:
        yield from writer.abort_steps()
        raise
    yield from writer.finish_steps()
    counts = plan.counts
    return Imported(
        writer.session, plan.session, len(plan.branches) - 1, counts["row"], counts["mail"], counts["dead"], plan.steady
    )


def fork_steps(
    session: str,
    name: str | None,
    writer: SessionWriter | None = None,
    step: Callable[[int], None] = lambda count: None,
) -> Steps[Imported]:
    """Make a session whose branches begin with the histories that a session's have now, and with no mail.

    Mail that is on its way stays with the first one, which alone handles it. `step` is told how many more rows of logs
    are there. Raises ItemNotFoundError.
    """

    reader, into = SessionReader(session), writer or SessionWriter(IDType.create(), session)

    def take(piece: Piece) -> Steps[None]:
        yield from into.write_steps(piece)
        step(len(piece.rows))

    survey = yield from reader.survey_steps()
    record = survey.record
    fields = {**record.fields, **_of_fork(record.fields, session, name)}
    try:
        # What was paused rests in the first session for a reason of its own; here nothing waits yet.
        branches = [replace(one, paused="") for one in survey.branches]
        yield from into.create_steps(fields, record.cap, record.cap_bytes, branches, f"fork of {session}")
        yield from reader.emit_steps(survey, take, with_mail=False)
    except Exception:
        yield from into.abort_steps()
        raise
    yield from into.finish_steps()
    return Imported(into.session, session, record.branches, reader.rows, 0, 0)


def _of_fork(fields: Any, session: str, name: str | None) -> dict[str, str]:
    before, metadata = from_json(fields.get("name", "null")), from_json(fields.get("metadata", "{}"))
    called = name if name is not None else before and f"{before} (fork)"
    changed = {"created_at": time.time(), "metadata": {**metadata, "forked_from": str(session)}, "name": called}
    return {field: to_json(value).decode() for field, value in changed.items() if value is not None}


def _make_way_steps(writer: SessionWriter) -> Steps[None]:
    record = yield from ask(ReadSession(writer.session))
    if record is None:
        return
    if IMPORTING not in record.fields:
        raise ItemExistsError(
            f"The session {writer.session} exists already. Import it without --same-ids as a copy, or remove it first."
        )
    writer.begun = True
    yield from writer.abort_steps()
    writer.begun = False


def _pieces(file: IO[bytes], session: str) -> Iterator[Piece]:
    """The pieces of a file, those of one branch and kind together, in bounded numbers."""
    rows = (read_line(raw, number) for number, raw in enumerate(file, 1))
    wanted = (row for row in rows if row["kind"] in _KINDS)
    for (branch, kind, _), group in groupby(wanted, lambda row: (row["branch"], row["kind"], row.get("where"))):
        home = session if kind == "dead" else branch
        yield from _bounded(home, (piece_of(row, session) for row in group))


def _bounded(branch: str, pieces: Iterable[Piece]) -> Iterator[Piece]:
    held: list[Piece] = []
    weight = 0
    for one in pieces:
        held.append(one)
        weight += sum(len(row.record.body) for row in one.rows)
        weight += sum(len(kept.mail.body) for kept in one.mails)
        weight += sum(len(letter.mail.body) for letter in one.dead if letter.mail)
        if len(held) >= 200 or weight > 1024 * 1024:
            yield _joined(branch, held)
            held, weight = [], 0
    if held:
        yield _joined(branch, held)


def _joined(branch: str, pieces: list[Piece]) -> Piece:
    return Piece(
        branch,
        where=pieces[0].where,
        rows=tuple(row for one in pieces for row in one.rows),
        mails=tuple(mail for one in pieces for mail in one.mails),
        dead=tuple(letter for one in pieces for letter in one.dead),
    )


def _checked_head(row: dict[str, Any]) -> dict[str, Any]:
    if row["kind"] != "export":
        raise ValueError("it does not begin with a session; is this an export?")
    if type(row["format"]) is not int or row["format"] != FORMAT:
        raise ValueError(f"it has the format {row['format']!r:.20}, and this program reads {FORMAT}")
    IDType.validate(row["session"])
    fields = row["fields"]
    if fields["delivery"] not in ("manual", "auto") or IMPORTING in fields:
        raise ValueError("its fields are not those of a session")
    for name, text in fields.items():
        if name != "delivery":
            from_json(text)
    if not all(type(row[name]) is int and 0 <= row[name] < 2**53 for name in ("cap", "cap_bytes")):
        raise ValueError("its limits are no numbers")
    return row


def _checked_end(row: dict[str, Any], lines: int, digest: str) -> dict[str, Any]:
    if row["lines"] != lines or row["sha256"] != digest:
        raise ValueError("the lines before it are not those that were written")
    return row


def _note_branch(row: dict[str, Any], branches: dict[str, BranchRecord], later: int) -> None:
    branch = branch_of(row)
    if later or branch.id in branches or (branch.copies and branch.copies not in branches):
        raise ValueError("the branch stands in the wrong place, or twice")
    branches[branch.id] = branch


def _note(row: dict[str, Any], session: str, branches: dict[str, BranchRecord], at: dict[str, tuple[int, int]]) -> None:
    """Insist that a line fits what stands before it."""
    if row["kind"] not in _KINDS:
        raise ValueError(f"there is no kind {row['kind']!r:.40}")
    piece = piece_of(row, session)
    if row["kind"] == "dead":
        place, where = place_of(piece.dead[0].id), "dead letters"
    elif piece.branch not in branches:
        raise ValueError(f"there is no branch {piece.branch!r:.80}")
    elif row["kind"] == "mail":
        return
    else:
        place, where = (piece.rows[0].version, piece.rows[0].place), piece.branch
    if place <= at.get(where, (0, 0)):
        raise ValueError("it is not in order")
    at[where] = place
