"""Tables as pages, JSON and CSV show them."""

from __future__ import annotations

import csv
from io import StringIO

import pytest

from lion_broker.dashboard.tables import Column, Empty, Row, Table, to_csv

COLUMNS = (
    Column("name", "Name"),
    Column("at", "At", "moment"),
    Column("odd", "Odd", rare=True),
    Column("id", "Id", data_only=True),
)


def table(*rows: dict[str, object]) -> Table:
    """A table of some rows."""
    return Table("things", "Things", COLUMNS, [Row(row) for row in rows], Empty("None."), next="?start=2")


def test_moments_are_iso_in_utc() -> None:
    """In JSON and CSV alike; what is not there is null, or an empty cell."""
    made = table({"name": "a", "at": 1.5, "odd": None, "id": 7}, {"name": "b"})
    assert made.plain() == {
        "rows": [
            {"name": "a", "at": "1970-01-01T00:00:01.500+00:00", "odd": None, "id": 7},
            {"name": "b", "at": None, "odd": None, "id": None},
        ],
        "next": "?start=2",
    }
    assert list(csv.reader(StringIO(to_csv(made))))[2] == ["b", "", "", ""]


def test_a_page_leaves_out_what_says_nothing() -> None:
    """Rare columns without a value, and those that are for programs."""
    assert [column.name for column in table({"name": "a"}).shown()] == ["name", "at"]
    assert [column.name for column in table({"name": "a"}, {"odd": "x"}).shown()] == ["name", "at", "odd"]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_text_is_a_formula(text: str) -> None:
    """What a spreadsheet would compute is marked as text, and all else is as it was."""
    rows = list(csv.reader(StringIO(to_csv(table({"name": text}, {"name": 'say "a,b"\nc'})))))
    assert rows[1][0] == f"'{text}"
    assert rows[2][0] == 'say "a,b"\nc'
