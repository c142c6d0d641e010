"""Tables in the order that is asked for, a page at a time, with links that lead to every other."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest
from starlette.requests import Request

from lion_broker.dashboard.arranging import arranged, sort_links
from lion_broker.dashboard.tables import Column, Empty, Order, Row, Table, is_said, sorted_rows
from lion_broker.errors import ConfigError

COLUMNS = (Column("name", "Name"), Column("count", "Count", "number"), Column("trend", "Trend", "spark"))
ROWS = [
    Row({"name": "ben", "count": 10, "trend": [1]}),
    Row({"name": "Ada", "count": 9, "trend": None}),
    Row({"name": "cleo", "count": None, "trend": None}),
    Row({"name": "dan", "count": 9, "trend": None}),
]


def asked(query: str) -> Request:
    """A request with a query."""
    return Request({"type": "http", "query_string": query.encode(), "headers": []})


def table(name: str = "things", **given: object) -> Table:
    """A table of four."""
    return Table(name, name, COLUMNS, ROWS, Empty("None."), sorts=True, **given)  # type: ignore[arg-type]


def names(one: Table) -> list[str]:
    """What its rows are called, in their order."""
    return [row.values["name"] for row in one.rows]


@pytest.mark.parametrize(
    ("query", "order"),
    [
        ("", ["ben", "Ada", "cleo", "dan"]),
        ("sort=name", ["Ada", "ben", "cleo", "dan"]),
        ("sort=name&order=desc", ["dan", "cleo", "ben", "Ada"]),
        ("sort=count", ["ben", "Ada", "dan", "cleo"]),
        ("sort=things.count&order=asc", ["Ada", "dan", "ben", "cleo"]),
    ],
)
def test_rows_stand_in_the_order_of_a_column(query: str, order: list[str]) -> None:
    """Numbers as such, texts whatever their capitals; what is missing is last either way, equal rows as they were."""
    (found,) = arranged(asked(query), (table(),))
    assert names(found) == order


@pytest.mark.parametrize("query", ["sort=nothing", "sort=trend", "sort=other.name", "sort=name&order=up", "sort=%00"])
def test_what_cannot_be_sorted_by_is_refused(query: str) -> None:
    """With the names of the columns; a page without such a table says that, too."""
    with pytest.raises(ConfigError, match=r"things\.count, name, count|asc or desc"):
        arranged(asked(query), (table(),))
    with pytest.raises(ConfigError, match="sorts nothing on this page"):
        arranged(asked("sort=name"), (Table("log", "Log", COLUMNS, ROWS, Empty("None.")),))


def test_the_table_that_is_meant_is_sorted() -> None:
    """By its name; without one it is the first, and the others stay as they are."""
    first, second = arranged(asked("sort=more.name"), (table(), table("more")))
    assert (names(first)[0], names(second)[0]) == ("ben", "Ada")
    first, second = arranged(asked("sort=name"), (table(), table("more")))
    assert (names(first)[0], names(second)[0]) == ("Ada", "ben")


def test_a_whole_table_is_cut_into_pages() -> None:
    """After it was sorted; the last page names no next one, and odd numbers are no error."""
    whole = table(whole=True)
    (first,) = arranged(asked("sort=name&size=3&q=x"), (whole,))
    assert names(first) == ["Ada", "ben", "cleo"]
    assert dict(parse_qsl(first.next[1:])) == {"sort": "name", "size": "3", "q": "x", "start": "3"}
    (second,) = arranged(asked(first.next[1:]), (whole,))
    assert (names(second), second.next, second.total) == (["dan"], "", 4)
    for query in ("size=0", "size=-1", "size=9999999", "size=x", "start=-1", "start=x"):
        assert names(arranged(asked(query), (whole,))[0]) == ["ben", "Ada", "cleo", "dan"]
    assert names(arranged(asked("start=99"), (whole,))[0]) == []


def test_a_heading_leads_round_all_orders() -> None:
    """First the one that is mostly wanted, then the other, then back; places and what was done are left behind."""
    query, seen = {"q": "x", "start": "50", "did": "dropped"}, []
    for _ in range(3):
        (now,) = arranged(asked("&".join(f"{name}={value}" for name, value in query.items())), (table(),))
        links = sort_links(now, query, several=False)
        assert "trend" not in links
        word, link = links["count"]
        query = dict(parse_qsl(link[1:]))
        seen.append((word, query.get("sort"), query.get("order")))
    assert seen == [("", "count", "desc"), ("descending", "count", "asc"), ("ascending", None, None)]
    assert query == {"q": "x"}


def test_a_heading_shows_how_a_table_stands_by_itself() -> None:
    """There one click turns it round, and the next leads back."""
    natural = table(natural=Order("count", descending=True))
    assert sort_links(natural, {}, several=True)["count"] == ("descending", "?sort=things.count&order=asc")
    assert sort_links(natural, {}, several=True)["name"] == ("", "?sort=things.name&order=asc")
    assert sort_links(Table("log", "Log", COLUMNS, ROWS, Empty("None.")), {}, several=False) == {}


def test_words_are_found_in_any_text_of_a_row() -> None:
    """Whatever the capitals; no words are in every row."""
    assert [is_said(row, "A") for row in ROWS] == [False, True, False, True]
    assert all(is_said(row, "") for row in (*ROWS, Row({"count": 1})))


def test_values_of_different_kinds_can_be_sorted() -> None:
    """Numbers before texts: nothing that a branch says makes a page fail."""
    rows = [Row({"a": "x"}), Row({"a": 3}), Row({"a": True}), Row({"a": 2.5}), Row({"a": ["y"]})]
    assert [row.values["a"] for row in sorted_rows(rows, "a", descending=False)] == [True, 2.5, 3, ["y"], "x"]
