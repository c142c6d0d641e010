"""The file of an export: JSON lines, one thing a line, ended by a line that says how many there are and their digest.

    export   the session: its fields and limits
    branch   a branch: seed, version, whether it is paused, from which other one it was split off
    mail     a mail that waits: where, header, body
    row      a row of a log: version and place, kind, body, of a received mail its header, of a commit its stamp
    dead     a dead letter
    end      how many lines stand before, their SHA-256, and whether the session was at rest meanwhile

There is no key and no signature in it: whoever may write such a file, and has it imported, writes the mail in it.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from pydantic_core import from_json, to_json

from lion_broker.errors import ConfigError, LionError
from lion_broker.mail.checks import is_id
from lion_broker.mail.records import BranchRecord, BranchSeed, DeadLetter, LogRecord, Record, Stamp
from lion_broker.mail.records import SessionRecord as Session
from lion_broker.mail.strict_json import read_json
from lion_broker.mail.verbs.archive import Kept
from lion_broker.mail.waiting import WaitsAt
from lion_broker.mail.wire import MAX_BODY_BYTES, WireMail, decode_header

from .reader import EXPORTED, IMPORTED, Piece

__all__ = [
    "FORMAT",
    "LONGEST_LINE",
    "WRONG",
    "branch_line",
    "branch_of",
    "head_line",
    "lines_of",
    "named",
    "piece_of",
    "read_line",
    "written",
]

FORMAT: Final = 1
"""The version of the file; a program reads this one and refuses later ones."""
LONGEST_LINE: Final = 64 * 1024 * 1024
"""Bytes of a line: a record of a log has 16 MiB at most, and may need twice as many as JSON."""

Row = dict[str, Any]


def head_line(record: Session) -> Row:
    """Return the first line."""
    return {
        "kind": "export",
        "format": FORMAT,
        "session": record.id,
        "fields": dict(record.fields),
        "cap": record.cap,
        "cap_bytes": record.cap_bytes,
    }


def branch_line(branch: BranchRecord) -> Row:
    """Return the line of a branch."""
    return {
        "kind": "branch",
        **asdict(branch.seed),
        "open": branch.state == "open",
        "version": branch.version,
        "paused": branch.paused,
        "copies": branch.copies,
    }


def branch_of(row: Row) -> BranchRecord:
    """Return the branch of a line."""
    seed = BranchSeed(row["id"], row["name"], row["pool"], row["behaviour"], dict(row["fields"]))
    state = "open" if row["open"] else "closed"
    _insist(is_id(seed.id) and (row["copies"] == "" or is_id(row["copies"])), "an id is none")
    _insist(all(type(one) is str for pair in seed.fields.items() for one in pair), "a field is no text")
    _insist(type(row["paused"]) is str and type(row["version"]) is int, "paused or version is of the wrong type")
    # It rested for the copy, which is made: for itself it has no reason to.
    paused = "" if row["paused"] in (EXPORTED, IMPORTED) else row["paused"]
    return BranchRecord(seed, state, "", False, "0-0", row["version"], 0, 0, 0, paused=paused, copies=row["copies"])


def lines_of(piece: Piece) -> list[Row]:
    """Return the lines of a piece."""
    rows: list[Row] = []
    for waiting in piece.mails:
        place = {"where": piece.where, "due": waiting.due, "straight": waiting.straight}
        rows.append({"kind": "mail", "branch": piece.branch, **place, **_mail_row(waiting.mail)})
    for one in piece.rows:
        record = one.record
        parts = {**_shown("body", record.body), **(_shown("head", record.head) if record.head else {})}
        stamp = one.stamp and {"stamp": [one.stamp.at, one.stamp.consumed, list(one.stamp.owners)]}
        place = {"at": [one.version, one.place], "what": record.kind, **(stamp or {})}
        rows.append({"kind": "row", "branch": piece.branch, **place, **parts})
    for letter in piece.dead:
        known = {name: getattr(letter, name) for name in ("id", "reason", "error", "detail", "branch", "attempts")}
        mail = {} if letter.mail is None else _mail_row(letter.mail)
        rows.append({"kind": "dead", **known, "owners": list(letter.owners), **mail})
    return rows


def piece_of(row: Row, session: str) -> Piece:
    """Return the piece of one line."""
    if row["kind"] == "mail":
        mail, due = _mail_of(row, session), row["due"]
        _insist(type(due) is int and 0 <= due < 2**53 and type(row["straight"]) is bool, "due or straight is none")
        where = WaitsAt(row["where"])
        home = mail.header.sender if where is WaitsAt.OUTBOX else mail.header.recipient
        _insist(home == row["branch"], "the mail is of another branch")
        return Piece(row["branch"], where=where, mails=(Kept(mail, due, row["straight"]),))
    if row["kind"] == "row":
        version, place = row["at"]
        _insist(type(version) is int and type(place) is int and min(version, place) > 0, "its place is none")
        head = _hidden("head", row) if "head" in row or "head64" in row else b""
        record = Record(row["what"], _hidden("body", row), head)
        return Piece(row["branch"], rows=(LogRecord(version, place, record, _stamp_of(row.get("stamp"))),))
    has_mail = "head" in row
    letter = DeadLetter(
        id=row["id"],
        reason=row["reason"],
        detail=row["detail"],
        branch=row["branch"],
        attempts=row["attempts"],
        owners=tuple(row["owners"]),
        mail=_mail_of(row, session) if has_mail else None,
        error=row["error"],
    )
    texts = (letter.reason, letter.detail, letter.error, *letter.owners)
    _insist(all(type(one) is str for one in texts) and type(letter.attempts) is int, "a part is of the wrong type")
    return Piece(session, dead=(letter,))


def _stamp_of(told: Any) -> Stamp | None:
    if told is None:
        return None
    at, consumed, owners = told
    texts = (consumed, *owners)
    _insist(type(at) is int and 0 <= at < 2**53 and all(type(one) is str for one in texts), "its stamp is none")
    _insist(not any(set(one) & set("\n") for one in texts) and " " not in consumed, "its stamp is none")
    return Stamp(at, tuple(owners), consumed)


def read_line(raw: bytes, number: int) -> Row:
    """Return a line as what it says; raises ConfigError that names the line."""
    try:
        found = from_json(raw)
        if not isinstance(found, dict) or not isinstance(found.get("kind"), str):
            raise ValueError("it is no object with a kind")
    except ValueError as error:
        if number > 1 and not raw.endswith(b"\n"):
            raise ConfigError(f"The export is cut off in the middle of line {number}. Nothing was imported.") from None
        what = " Is it what `session export` has written?" if number == 1 else ""
        raise ConfigError(f"Line {number} of the export cannot be read: {str(error)[:200]}.{what}") from None
    return found


def named(number: int, error: Exception) -> ConfigError:
    """Return what is wrong with a line, as an error that names it."""
    text = f"{error} is missing" if isinstance(error, KeyError) else str(error)
    shown = " ".join(text.rstrip(".").split())[:200]
    return ConfigError(f"Line {number} of the export cannot be used: {shown}. Nothing was imported.")


WRONG: Final = (LionError, ValueError, TypeError, LookupError, AttributeError)
"""What a line raises that says something else than it must."""


def _mail_row(mail: Any) -> Row:
    return {"head": mail.head.decode(), "body": mail.body.decode()}


def _mail_of(row: Row, session: str) -> WireMail:
    head, body = row["head"].encode(), row["body"].encode()
    header = decode_header(head)
    _insist(b"\n" not in head, "the header is more than one line")
    _insist(header.session == session, "the mail is of another session")
    _insist(is_id(header.sender) and is_id(header.recipient), "sender or recipient is no id")
    read_json(body, "body", MAX_BODY_BYTES)
    mail = WireMail(header, body, head)
    # The digest that the header names is that of the body, or there is none.
    _insist(WireMail(header, body).header.blob == header.blob, "the header names another body")
    return mail


def _shown(name: str, raw: bytes) -> Mapping[str, str]:
    """Bytes as text, or as base64 where they are none."""
    try:
        return {name: raw.decode()}
    except UnicodeDecodeError:
        return {f"{name}64": b64encode(raw).decode()}


def _hidden(name: str, row: Row) -> bytes:
    return row[name].encode() if name in row else b64decode(row[f"{name}64"], validate=True)


def _insist(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(what)


def written(row: Row) -> bytes:
    """Return a line as bytes, with its line feed."""
    return to_json(row) + b"\n"
