"""Tables as values: shown as HTML by one template, and given out as JSON and CSV."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import StringIO
from typing import Any, Final

__all__ = ["Column", "Empty", "Row", "Table", "cell", "moment", "to_csv"]

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
class Table:
    """A table of a page. `next` is the query of the page that goes on with it, `note` what is left out of it."""

    name: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    empty: Empty
    next: str = ""
    note: str = ""

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
