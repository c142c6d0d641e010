"""Dead letters as a table, and one in full."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from lion_broker.core.portable import readable
from lion_broker.dashboard.tables import Column, Empty, Row, Table
from lion_broker.errors import LionError
from lion_broker.mail.records import DeadLetter, place_of

from .words import text_of, words_of

__all__ = ["item_text", "letter_fields", "letter_table", "said"]

NO_LETTERS: Final = Empty("There are no dead letters: everything was delivered and applied, or still waits.")
NO_SUCH_LETTER: Final = Empty("No dead letter is like that.")
_BEGINNING: Final = 120
_LONGEST: Final = 100_000


def letter_table(letters: Sequence[tuple[str, DeadLetter]], names: Mapping[str, str], following: str = "") -> Table:
    """Dead letters with their sessions; `names` are those of branches by id."""
    columns = (
        Column("at", "Died", "moment"),
        Column("reason", "Reason", "state"),
        Column("error", "Error", data_only=True),
        Column("detail", "What was said"),
        Column("branch", "To branch"),
        Column("sender", "From"),
        Column("text", "It says"),
        Column("attempts", "Attempts", "number"),
        Column("category", "Category"),
        Column("id", "Letter", "code"),
        Column("session", "Session", "code"),
    )
    rows = [letter_row(session, letter, names) for session, letter in letters]
    return Table("dead", "Dead letters", columns, rows, NO_LETTERS, following)


def letter_row(session: str, letter: DeadLetter, names: Mapping[str, str]) -> Row:
    """One letter as a row; its key names session and letter."""
    header = letter.mail.header if letter.mail else None
    values = {
        "at": died_at(letter),
        "id": letter.id,
        "session": session,
        "branch": names.get(letter.branch, letter.branch),
        "sender": names.get(header.sender, header.sender) if header else None,
        "category": header.category if header else None,
        "reason": letter.reason,
        "error": letter.error,
        "detail": letter.detail,
        "attempts": letter.attempts,
        "text": said(letter)[:_BEGINNING],
    }
    here = f"/dead/{session}/{letter.id}"
    links = {"at": here, "id": here, "session": f"/sessions/{session}"}
    return Row(values, links, f"{session}/{letter.id}")


def letter_fields(letter: DeadLetter, names: Mapping[str, str]) -> dict[str, Any]:
    """Everything that is known of a letter but what it says, by title."""
    header = letter.mail.header if letter.mail else None
    return {
        "Letter": letter.id,
        "Mail": header.id if header else "no readable mail",
        "From": names.get(header.sender, header.sender) if header else "",
        "To": names.get(letter.branch, letter.branch),
        "Category": header.category if header else "",
        "Reason": letter.reason,
        "Error": letter.error,
        "What was said": letter.detail,
        "Attempts": letter.attempts,
        "Sent": header.created if header else "",
        "Died": died_at(letter),
        "Tried by": ", ".join(letter.tried_by),
        "Sent while handling": letter.caused_by or "",
    }


def died_at(letter: DeadLetter) -> float:
    """When the letter died, by the exchange's clock."""
    return place_of(letter.id)[0] / 1000


def said(letter: DeadLetter) -> str:
    """What a letter says, as a line of text."""
    try:
        value = letter.mail.item() if letter.mail else None
    except LionError:
        return ""
    return readable(" ".join(text_of(value).split()), _LONGEST)


def item_text(letter: DeadLetter) -> str:
    """What a letter holds, as it can be edited: a message's own words, anything else as JSON."""
    if letter.mail is None:
        return ""
    try:
        value = letter.mail.item()
    except LionError:
        return ""
    words = words_of(value)
    if letter.mail.header.category == "message" and words is not None:
        return words
    item = value.get("item", value) if isinstance(value, dict) else value
    return readable(json.dumps(item, indent=2, ensure_ascii=False), _LONGEST)
