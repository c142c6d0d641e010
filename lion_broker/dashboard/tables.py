"""Tables as values: shown as HTML by one template, and given out as JSON and CSV."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import StringIO
from typing import Any, Final

__all__ = ["Column", "Empty", "Order", "Row", "Table", "cell", "is_said", "moment", "sorted_rows", "to_csv"]

_DIGITS: Final = re.compile(r"([0-9]{1,18})")
_COMPARED: Final = 200
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name in JSON and CSV, its title, and how a page shows it.

    `kind` is `text`, `code`, `number`, `money` (US dollars), `seconds`, `ago` (seconds), `moment` (seconds since the
    epoch), `state`, `spark` (numbers in order of time), or `meter`: what is left of the number in the column `of`. A
    page leaves a `rare` one out where no row has anything in it, and one that is `data_only` always.
    """

    name: str
    title: str
    kind: str = "text"
    hint: str = ""
    rare: bool = False
    data_only: bool = False
    of: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A row: values by column, the paths below the dashboard that some lead to, and what names it in a form.

    `about` are the columns whose values are estimates.
    """

    values: Mapping[str, Any]
    links: Mapping[str, str] = field(default_factory=dict)
    key: str = ""
    about: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Empty:
    """What stands in the place of a table without rows: what is the case, and the command that changes it."""

    text: str
    command: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """By which column rows stand in order, and whether the largest, newest or last of the alphabet comes first."""

    column: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a page. `next` is the query of the page that goes on with it, `note` what is left out of it.

    One that `sorts` can be had in the order of a column; `natural` is how it stands where nobody has asked for another,
    `order` what was asked for. The rows of a `whole` one are all that there are, or that were looked at: whoever
    answers puts them in order and cuts a page of `size` rows out, and `total` is how many there were.
    """

    name: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    empty: Empty
    next: str = ""
    note: str = ""
    sorts: bool = False
    whole: bool = False
    natural: Order | None = None
    order: Order | None = None
    size: int = 0
    total: int | None = None

    def shown(self) -> list[Column]:
        """The columns that a page shows."""
        filled = {name for row in self.rows for name, value in row.values.items() if value}
        return [one for one in self.columns if not one.data_only and (not one.rare or one.name in filled)]

    def plain(self) -> dict[str, Any]:
        """Return the rows as plain values for JSON, the query that goes on with them, and what is left out, if any."""
        told = {"note": self.note} if self.note else {}
        return {"rows": [self._values(row) for row in self.rows], "next": self.next or None, **told}

    def _values(self, row: Row) -> dict[str, Any]:
        return {
            column.name: moment(row.values.get(column.name)) if column.kind == "moment" else row.values.get(column.name)
            for column in self.columns
        }


def sorted_rows(rows: Sequence[Row], column: str, *, descending: bool) -> list[Row]:
    """Return rows in the order of a column; those without a value stand at the end either way, equal ones as before."""
    filled = [row for row in rows if row.values.get(column) not in (None, "")]
    bare = [row for row in rows if row.values.get(column) in (None, "")]
    return [*sorted(filled, key=lambda row: _rank(row.values[column]), reverse=descending), *bare]


def _rank(value: Any) -> tuple[bool, Any]:
    """What a value is compared by: numbers before texts, and `Writer-2` before `writer-10`."""
    if isinstance(value, (int, float)):
        return False, value
    pieces = _DIGITS.split(str(value).casefold()[:_COMPARED])
    # Texts and digits take turns, so that like is compared with like.
    return True, [int(one) if place % 2 else one for place, one in enumerate(pieces)]


def is_said(row: Row, words: str) -> bool:
    """Whether a text of a row has some words in it, without regard to capitals; nothing is in all of them."""
    low = words.casefold()
    return not low or any(isinstance(one, str) and low in one.casefold() for one in row.values.values())


def to_csv(table: Table) -> str:
    """Return a table as CSV; no text in it can be taken for a formula."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([column.name for column in table.columns])
    for values in table.plain()["rows"]:
        writer.writerow([cell(value) for value in values.values()])
    return out.getvalue()


def cell(value: Any) -> Any:
    """Return a value for a cell; a text that a spreadsheet would compute is marked as one."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return "" if value is None else " ".join(map(str, value)) if isinstance(value, list) else value


def moment(seconds: float | None) -> str | None:
    """Return a time since the epoch as ISO 8601 in UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
