"""What branches have said and heard, from the records of their logs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic_core import from_json

from lion_broker.branch.journal import Kind
from lion_broker.core.numbers import counted
from lion_broker.core.portable import readable
from lion_broker.dashboard.tables import Column, Empty, Row, Table
from lion_broker.errors import LionError
from lion_broker.mail.records import LogRecord
from lion_broker.mail.wire import Header, decode_header

from .words import as_text, content_words, rest_of

__all__ = ["Utterance", "merged", "said_table", "utterances"]

_LONGEST: Final = 20_000
_REST: Final = 4_000


@dataclass(frozen=True, slots=True)
class Utterance:
    """One thing in a conversation: a message, or a note of something else that happened to the branch.

    `role` is that of a message, or `note`. `sender` and `recipient` are ids or roles; `at` is by the sender's clock.
    """

    branch: str
    place: str
    role: str
    sender: str
    recipient: str
    at: float | None
    text: str
    rest: str = ""
    mail: str = ""


def utterances(branch: str, rows: Iterable[LogRecord]) -> Iterator[Utterance]:
    """Yield what the records of a branch's log say; one that nobody can read is shown as such."""
    for row in rows:
        try:
            found = _READ.get(row.record.kind, _nothing)(branch, row)
        except (LionError, ValueError, TypeError, LookupError, AttributeError) as error:
            found = _note(branch, row, f"A record that cannot be read ({type(error).__name__}).")
        if found is not None:
            yield found


def merged(conversations: Sequence[Sequence[Utterance]], most: int) -> list[Utterance]:
    """The newest of several conversations in order of time; a mail that several branches hold comes once."""
    found: dict[str, Utterance] = {}
    for one in (one for conversation in conversations for one in conversation if one.role != "note"):
        found.setdefault(one.mail or f"{one.branch}/{one.place}", one)
    return sorted(found.values(), key=lambda one: (one.at or 0.0, one.place))[-most:]


def said_table(said: Sequence[Utterance], names: Mapping[str, str], following: str, empty: Empty) -> Table:
    """A conversation as a table, for JSON and CSV."""
    columns = (
        Column("at", "At", "moment"),
        Column("branch", "Branch"),
        Column("role", "Role"),
        Column("sender", "From"),
        Column("recipient", "To"),
        Column("text", "Says"),
        Column("mail", "Mail", "code"),
        Column("place", "Place in the log", "code"),
    )
    rows = [
        Row(
            {
                "at": one.at,
                "branch": names.get(one.branch, one.branch),
                "role": one.role,
                "sender": names.get(one.sender, one.sender),
                "recipient": names.get(one.recipient, one.recipient),
                "text": one.text,
                "mail": one.mail or None,
                "place": one.place,
            }
        )
        for one in said
    ]
    return Table("conversation", "Conversation", columns, rows, empty, following)


def _mail(branch: str, row: LogRecord) -> Utterance:
    header: Header = decode_header(row.record.head)
    item = from_json(row.record.body)["item"]
    return _message(branch, row, item, header.sender, header.recipient, header.created, header.id)


def _own(branch: str, row: LogRecord) -> Utterance:
    item = from_json(row.record.body)["message"]
    return _message(branch, row, item, str(item["sender"]), str(item["recipient"]), float(item["created_at"]), "")


def _message(branch: str, row: LogRecord, item: Any, sender: str, recipient: str, at: float, mail: str) -> Utterance:
    if isinstance(item, str):
        item = {"content": {"text": item}, "role": "user"}
    content = item.get("content") or {}
    words = content_words(content)
    text = as_text(content, indent=2) if words is None else words
    rest = "" if words is None else rest_of(content)
    role = str(item.get("role", "user"))
    return Utterance(
        branch, _place(row), role, sender, recipient, at, readable(text, _LONGEST), readable(rest, _REST), mail
    )


def _tool(branch: str, row: LogRecord) -> Utterance:
    body = from_json(row.record.body)
    return _note(branch, row, f"{'Lost' if body.get('gone') else 'Has'} the tool {body['name']}.")


def _model(branch: str, row: LogRecord) -> Utterance:
    body = from_json(row.record.body)
    settings = body.get("settings") or {}
    name = body.get("ref") or "/".join(str(settings[key]) for key in ("provider", "model") if key in settings)
    return _note(branch, row, f"Uses {name or 'a model of its process'} as {body['slot']} model.")


def _copy(branch: str, row: LogRecord) -> Utterance:
    body = from_json(row.record.body)
    return _note(branch, row, f"Begins with what branch {body['branch']} held at version {body['version']}.")


def _removed(branch: str, row: LogRecord) -> Utterance:
    return _note(branch, row, f"Removed {counted(len(from_json(row.record.body)['ids']), 'message')}.")


def _took(branch: str, row: LogRecord) -> Utterance | None:
    body = from_json(row.record.body)
    if not body.get("mail"):
        return None
    return Utterance(
        branch, _place(row), "note", "", branch, None, f"Took a {body['category']} mail.", "", body["mail"]
    )


def _log(branch: str, row: LogRecord) -> Utterance:
    body = from_json(row.record.body)
    return _note(branch, row, "An entry of the branch's own log.", as_text(body["log"], indent=2))


def _nothing(branch: str, row: LogRecord) -> None:
    """What is no part of a conversation."""


def _note(branch: str, row: LogRecord, text: str, rest: str = "") -> Utterance:
    return Utterance(branch, _place(row), "note", "", "", None, readable(text, _LONGEST), readable(rest, _REST))


def _place(row: LogRecord) -> str:
    return f"{row.version}-{row.place}"


_READ: Final = {
    Kind.MAIL.value: _mail,
    Kind.MESSAGE.value: _own,
    Kind.TOOL.value: _tool,
    Kind.MODEL.value: _model,
    Kind.COPY.value: _copy,
    Kind.REMOVE.value: _removed,
    Kind.TOOK.value: _took,
    Kind.LOG.value: _log,
}
