"""Lists: tables that fit a terminal, and the forms that programs read."""

from __future__ import annotations

import csv
import json
from io import StringIO

import pytest

from lion_broker.cli.listing import Column, Listing, fitted, form_of, table, told
from lion_broker.cli.printing import folded, has_colours, paint, short_id, took, width_of

ID = "01a21a25-3797-721a-94a5-0f1d5927a83b"
COLUMNS = (
    Column("id", kind="id"),
    Column("name", kind="text"),
    Column("state", kind="state"),
    Column("in flight", kind="number"),
    Column("secretly", wide=True),
    Column("odd", rare=True),
)
ROW = {"id": ID, "name": "a name that is rather long", "state": "dead", "in_flight": 7, "secretly": "w", "odd": ""}
LISTING = Listing([ROW, {**ROW, "name": "狮子", "in_flight": 1234}], COLUMNS, "Nothing.", "2 more.")


def test_a_table_has_what_there_is_room_for() -> None:
    """Ids are shortened to their ends first, then texts are cut; numbers and states never are."""
    whole = table(LISTING, None)
    assert whole.splitlines()[0].split() == ["ID", "NAME", "STATE", "IN", "FLIGHT"]
    assert ID in whole
    narrow = table(LISTING, 50)
    assert "…d5927a83b" in narrow
    assert "a name tha" in narrow
    assert "dead" in narrow
    assert "1234" in narrow
    assert {width_of(line) for line in narrow.splitlines()} == {50} or max(map(width_of, narrow.splitlines())) <= 50
    assert table(LISTING, 1).splitlines()[1].split()[0] == "…d5927a83b"


def test_columns_are_left_out_before_words_are_wrapped() -> None:
    """Those that may be spared go one by one, the most dispensable first, and are told of; texts keep room."""
    columns = (
        Column("id", kind="id"),
        Column("pool", kind="name"),
        Column("state", spare=1),
        Column("mails", spare=2, kind="number"),
        Column("text", kind="text"),
    )
    row = {"id": ID, "pool": "readers", "state": "applied", "mails": 123456, "text": "one two three four five six"}
    left_out: dict[int, list[str]] = {60: [], 50: [], 42: ["MAILS"], 33: ["MAILS", "STATE"], 28: ["MAILS", "STATE"]}
    for room, names in left_out.items():
        found = fitted(Listing([row], columns, ""), room)
        assert max(map(width_of, found.text().splitlines())) <= room
        assert found.left_out == names
        assert found.cells[0][0] == "…d5927a83b"
    # At last texts get shorter than is good for them, and names are cut.
    assert "one tw…" in fitted(Listing([row], columns, ""), 28).text()
    long = {**row, "pool": "a-pool-with-a-long-name"}
    assert max(map(width_of, fitted(Listing([long], columns, ""), 34).text().splitlines())) <= 34


def test_what_is_left_out_is_told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """On stderr, with the option that shows it."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "30")
    told(Listing([ROW], (*COLUMNS[:2], Column("state", spare=1)), ""), "table", "-o wide")
    assert capsys.readouterr().err == "No room for STATE: -o wide has all.\n"
    told(Listing([ROW], (*COLUMNS[:2], Column("state", spare=1)), ""), "wide")
    assert capsys.readouterr().err == ""


def test_prose_is_folded_between_words() -> None:
    """The later lines are indented; a command between backticks stays on one line, so that it can be copied."""
    text = "ok   Say `lion-broker worker --pool p` on every machine that is to work."
    assert folded(text, None) == text
    lines = folded(text, 40, 5).splitlines()
    assert lines == ["ok   Say `lion-broker worker --pool p`", "     on every machine that is to work."]
    assert folded("Say `lion-broker worker`.", 12) == "Say\n`lion-broker worker`."


def test_columns_that_are_wide_or_rare() -> None:
    """One is shown only where everything is wanted, the other only where something is in it."""
    assert "SECRETLY" not in table(LISTING, None)
    assert "SECRETLY" in table(LISTING, None, wide=True)
    assert "ODD" in table(Listing([ROW, {**ROW, "odd": "x"}], COLUMNS, ""), None)


def test_wide_signs_take_two_places() -> None:
    """What stands behind an eastern name stands in its column all the same."""
    lines = table(LISTING, None).splitlines()
    assert width_of(lines[1]) == width_of(lines[2])


def test_forms_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    """A JSON list, an object a line, and CSV in which nothing is taken for a formula; notes are for people."""
    told(LISTING, "json")
    assert json.loads(capsys.readouterr().out) == LISTING.rows
    told(LISTING, "jsonl")
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == LISTING.rows
    told(Listing([{**ROW, "name": "=1+1"}], COLUMNS, ""), "csv")
    (read,) = csv.DictReader(StringIO(capsys.readouterr().out))
    assert (read["id"], read["name"], read["in_flight"]) == (ID, "'=1+1", "7")
    told(Listing([], COLUMNS, "Nothing."), "csv")
    assert capsys.readouterr().out.count("\n") == 1
    told(LISTING, "table")
    printed = capsys.readouterr()
    assert printed.err == "2 more.\n"
    told(Listing([], COLUMNS, "Nothing."), "table")
    assert capsys.readouterr().out == "Nothing.\n"
    assert [form_of(None, True), form_of(None, False), form_of("csv", True)] == ["json", "table", "csv"]


def test_what_is_hostile_stays_on_its_line() -> None:
    """Signs that steer a terminal are not printed, and a name of many lines is one line."""
    assert len(table(Listing([{**ROW, "name": "two\nlines \x1b[2J"}], COLUMNS, ""), None).splitlines()) == 2
    assert "\x1b" not in table(Listing([{**ROW, "name": "\x1b[2J"}], COLUMNS, ""), None)


def test_colours_are_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    """And not where somebody has asked for none."""
    assert paint("dead") == "dead"
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert has_colours()
    assert paint("dead", "oh") == "\x1b[31moh\x1b[0m"
    assert paint("unknown") == "unknown"
    monkeypatch.setenv("TERM", "dumb")
    assert not has_colours()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    assert not has_colours()


def test_short_words_for_long_things() -> None:
    """An id goes by its end; how long something took has a unit."""
    assert (short_id(ID), short_id("reader-1")) == ("…d5927a83b", "reader-1")
    assert [took(one) for one in (None, 0.0012, 0.9999, 75.0)] == ["", "1ms", "1s", "1m"]
