"""Lists of things: as a table that fits the terminal, whole, as JSON, lines of JSON or CSV; once or again and again."""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Annotated, Any, Final, Literal

import typer

from lion_broker.errors import BrokerUnavailable

from .printing import cell, paint, print_json, room_of_terminal, short_id, width_of
from .running import ended_by_signals

__all__ = [
    "Column",
    "Fitted",
    "Form",
    "Interval",
    "Limit",
    "Listing",
    "Output",
    "Watch",
    "fitted",
    "form_of",
    "table",
    "told",
    "watched",
]

Row = Mapping[str, Any]
Form = Literal["table", "wide", "json", "jsonl", "csv"]

Output = Annotated[
    Form | None,
    typer.Option(
        "--output",
        "-o",
        help="table fits the terminal, wide cuts nothing, jsonl is an object a line, csv is for a spreadsheet."
        " Default: table; json with --json.",
        show_default=False,
    ),
]
Limit = Annotated[
    int | None,
    typer.Option("--limit", "-n", min=1, max=1_000_000, metavar="N", help="At most so many rows.", show_default=False),
]
Watch = Annotated[bool, typer.Option("--watch", "-w", help="Look again and again, until Ctrl-C.")]
Interval = Annotated[
    float, typer.Option(min=0.1, max=3600, metavar="SECONDS", help="The time between two looks of --watch.")
]

_WHOLE: Final = "-o wide"
"""What a command that prints a list in many forms calls the whole of it."""
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""What begins a text that a spreadsheet would compute."""
_LEAST_TEXT: Final = 12
_LONG_NAME: Final = 48
"""A name that is longer is cut before columns are left out for it: hosts may have names of 63 signs."""
_LEAST_OF_ALL: Final = 6
"""So short a text may become when no column can be left out any more."""
_GAP: Final = 2


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its heading, and what stands in it of a row (default: the value of that name).

    `kind` is `id`, `text`, `name`, `number`, `state` or `word`. Where the terminal has no room, ids are shortened to
    their ends and texts cut; then columns are left out, those with the largest `spare` first, and with none never; at
    last names are cut as well. A `wide` column is shown by `-o wide` only, a `rare` one only where something is in it.
    """

    heading: str
    of: str | Callable[[Row], Any] = ""
    kind: str = "word"
    wide: bool = False
    rare: bool = False
    spare: int = 0

    def value(self, row: Row) -> Any:
        """What stands in a row."""
        if callable(self.of):
            return self.of(row)
        return row[self.of or self.heading.lower().replace(" ", "_")]


@dataclass(frozen=True, slots=True)
class Listing:
    """Rows as programs get them, the columns in which people do, what to say of none, and of what was left out."""

    rows: Sequence[Row]
    columns: Sequence[Column]
    empty: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Fitted:
    """Rows as cells that fit a terminal, in columns; and the headings of those for which there was no room."""

    columns: Sequence[Column]
    cells: list[list[str]]
    left_out: Sequence[str] = ()

    def text(self) -> str:
        """Return them as aligned columns under their headings."""
        lines = [[one.heading.upper() for one in self.columns], *self.cells]
        widths = _widths(lines)
        return "\n".join(_line(line, widths, self.columns, heading=place == 0) for place, line in enumerate(lines))


def form_of(output: Form | None, as_json: bool) -> Form:
    """Return how a list is to be printed; `--json` is short for `-o json`."""
    return output or ("json" if as_json else "table")


def told(listing: Listing, form: Form, whole: str = "--json") -> None:
    """Print a list in a form on stdout, and on stderr what was left out; `whole` is the option that shows all of it."""
    if form == "json":
        print_json(listing.rows)
    elif form == "jsonl":
        for row in listing.rows:
            print_json(row)
    elif form == "csv":
        typer.echo(_csv(listing), nl=False)
    elif not listing.rows:
        typer.echo(listing.empty)
    else:
        found = fitted(listing, None if form == "wide" else room_of_terminal(), wide=form == "wide")
        typer.echo(found.text())
        if found.left_out:
            typer.echo(f"No room for {', '.join(found.left_out)}: {whole} has all.", err=True)
    if listing.note:
        typer.echo(listing.note, err=True)


def watched(look: Callable[[], Listing], form: Form, watch: bool, interval: float) -> None:
    """Print a list once, or again and again until a signal; a server that stops answering is waited for."""
    if not watch:
        told(look(), form, _WHOLE)
        return
    clears = form in ("table", "wide") and sys.stdout.isatty()
    seen = False
    with ended_by_signals():
        while True:
            found, trouble = None, ""
            try:
                found, seen = look(), True
            except BrokerUnavailable as error:
                if not seen:
                    raise
                trouble = f"{error} Looking again."
            if clears:
                # Home, and what is left of the look before goes: nothing flickers.
                typer.echo(f"\x1b[H\x1b[2J{time.strftime('%H:%M:%S')}")
            if found is None:
                typer.echo(trouble, err=True)
            else:
                told(found, form, _WHOLE)
                if form in ("table", "wide") and not clears:
                    typer.echo()
            sys.stdout.flush()
            time.sleep(interval)


def table(listing: Listing, room: int | None, *, wide: bool = False) -> str:
    """Return a list of at least one row as aligned columns, in at most `room` signs a line where that can be."""
    return fitted(listing, room, wide=wide).text()


def fitted(listing: Listing, room: int | None, *, wide: bool = False) -> Fitted:
    """Return a list of at least one row as cells whose lines have at most `room` signs, where that can be."""
    rows = listing.rows
    columns = [one for one in listing.columns if wide or not one.wide]
    columns = [one for one in columns if not one.rare or any(one.value(row) for row in rows)]
    whole = {one.heading: [cell(one.value(row)) for row in rows] for one in columns}
    left_out: list[str] = []
    while True:
        cells = [list(line) for line in zip(*(whole[one.heading] for one in columns), strict=True)]
        found = Fitted(columns, cells, left_out)
        if room is None or _fit(found, room):
            return found
        next_one = max(columns, key=lambda one: one.spare)
        if not next_one.spare:
            _cut_widest(found, ("text",), _LEAST_OF_ALL, room)
            _cut_widest(found, ("name",), _LEAST_TEXT, room)
            return found
        columns = [one for one in columns if one is not next_one]
        left_out.append(next_one.heading.upper())


def _line(line: Sequence[str], widths: Sequence[int], columns: Sequence[Column], *, heading: bool) -> str:
    parts = []
    for text, width, column in zip(line, widths, columns, strict=True):
        pad = " " * (width - width_of(text))
        shown = paint(text) if column.kind == "state" and not heading else text
        parts.append(pad + shown if column.kind == "number" else shown + pad)
    return (" " * _GAP).join(parts).rstrip()


def _fit(found: Fitted, room: int) -> bool:
    """Shorten ids, and then texts, as far as they should be; returns whether the lines fit now."""
    # The ends of ids tell them apart, their beginnings are times; and an end finds what it ends.
    for place in [place for place, one in enumerate(found.columns) if one.kind == "id"][::-1]:
        if _over(found, room) > 0:
            for line in found.cells:
                line[place] = short_id(line[place])
    _cut_widest(found, ("name",), _LONG_NAME, room)
    return _cut_widest(found, ("text",), _LEAST_TEXT, room)


def _cut_widest(found: Fitted, kinds: Sequence[str], least: int, room: int) -> bool:
    """Cut the widest column of such kinds, and then the next one, until the lines fit or all have `least` signs."""
    places = [place for place, one in enumerate(found.columns) if one.kind in kinds]
    while (much := _over(found, room)) > 0:
        widths = {place: max(width_of(line[place]) for line in found.cells) for place in places}
        place = max(places, key=widths.__getitem__, default=-1)
        if place < 0 or widths[place] <= least:
            return False
        most = max(least, widths[place] - much)
        for line in found.cells:
            line[place] = _cut(line[place], most)
    return True


def _over(found: Fitted, room: int) -> int:
    """How many signs too wide the lines are."""
    widths = _widths([[one.heading for one in found.columns], *found.cells])
    return sum(widths) + _GAP * (len(widths) - 1) - room


def _widths(lines: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(width_of, column)) for column in zip(*lines, strict=True)]


def _cut(text: str, most: int) -> str:
    if width_of(text) <= most:
        return text
    while text and width_of(text) >= most:
        text = text[:-1]
    return f"{text}…"


def _csv(listing: Listing) -> str:
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = list(listing.rows[0]) if listing.rows else [one.heading.lower() for one in listing.columns]
    writer.writerow(names)
    for row in listing.rows:
        writer.writerow([_csv_cell(value) for value in row.values()])
    return out.getvalue()


def _csv_cell(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return "" if value is None else " ".join(map(str, value)) if isinstance(value, list) else value
