"""Lists of things: as a table that fits the terminal, whole, as JSON, lines of JSON or CSV; once or again and again."""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from shutil import get_terminal_size
from typing import Annotated, Any, Final, Literal

import typer

from lion_broker.errors import BrokerUnavailable

from .printing import cell, paint, print_json, short_id, width_of
from .running import ended_by_signals

__all__ = ["Column", "Form", "Interval", "Limit", "Listing", "Output", "Watch", "form_of", "table", "told", "watched"]

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

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""What begins a text that a spreadsheet would compute."""
_LEAST_TEXT: Final = 12
_GAP: Final = 2


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its heading, and what stands in it of a row (default: the value of that name).

    `kind` is `id`, `text`, `number`, `state` or `word`. Ids are shortened to their ends, and texts cut, where the
    terminal has no room. A `wide` column is shown by `-o wide` only, a `rare` one only where something is in it.
    """

    heading: str
    of: str | Callable[[Row], Any] = ""
    kind: str = "word"
    wide: bool = False
    rare: bool = False

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


def form_of(output: Form | None, as_json: bool) -> Form:
    """Return how a list is to be printed; `--json` is short for `-o json`."""
    return output or ("json" if as_json else "table")


def told(listing: Listing, form: Form) -> None:
    """Print a list in a form on stdout, and on stderr what was left out."""
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
        typer.echo(table(listing, None if form == "wide" else _room(), wide=form == "wide"))
    if listing.note and form in ("table", "wide"):
        typer.echo(listing.note, err=True)


def watched(look: Callable[[], Listing], form: Form, watch: bool, interval: float) -> None:
    """Print a list once, or again and again until a signal; a server that stops answering is waited for."""
    if not watch:
        told(look(), form)
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
                told(found, form)
                if form in ("table", "wide") and not clears:
                    typer.echo()
            sys.stdout.flush()
            time.sleep(interval)


def table(listing: Listing, room: int | None, *, wide: bool = False) -> str:
    """Return a list of at least one row as aligned columns, in at most `room` signs a line where that can be."""
    rows = listing.rows
    columns = [one for one in listing.columns if wide or not one.wide]
    columns = [one for one in columns if not one.rare or any(one.value(row) for row in rows)]
    lines = [[one.heading.upper() for one in columns], *([cell(one.value(row)) for one in columns] for row in rows)]
    if room is not None:
        _fit(lines, columns, room)
    widths = [max(map(width_of, column)) for column in zip(*lines, strict=True)]
    return "\n".join(_line(line, widths, columns, heading=place == 0) for place, line in enumerate(lines))


def _line(line: Sequence[str], widths: Sequence[int], columns: Sequence[Column], *, heading: bool) -> str:
    parts = []
    for text, width, column in zip(line, widths, columns, strict=True):
        pad = " " * (width - width_of(text))
        shown = paint(text) if column.kind == "state" and not heading else text
        parts.append(pad + shown if column.kind == "number" else shown + pad)
    return (" " * _GAP).join(parts).rstrip()


def _fit(lines: list[list[str]], columns: Sequence[Column], room: int) -> None:
    """Shorten ids, and then texts, until the lines fit or nothing can be shorter."""

    def over() -> int:
        widths = [max(map(width_of, column)) for column in zip(*lines, strict=True)]
        return sum(widths) + _GAP * (len(widths) - 1) - room

    # The ends of ids tell them apart, their beginnings are times; and an end finds what it ends.
    for place in [place for place, one in enumerate(columns) if one.kind == "id"][::-1]:
        if over() > 0:
            for line in lines[1:]:
                line[place] = short_id(line[place])
    texts = [place for place, one in enumerate(columns) if one.kind == "text"]
    while texts and (much := over()) > 0:
        place = max(texts, key=lambda one: max(width_of(line[one]) for line in lines))
        width = max(width_of(line[place]) for line in lines)
        if width <= _LEAST_TEXT:
            return
        most = max(_LEAST_TEXT, width - much)
        for line in lines:
            line[place] = _cut(line[place], most)


def _cut(text: str, most: int) -> str:
    if width_of(text) <= most:
        return text
    while text and width_of(text) >= most:
        text = text[:-1]
    return f"{text}…"


def _room() -> int | None:
    """How many signs a line of the terminal has; None where stdout is none."""
    return get_terminal_size().columns if sys.stdout.isatty() else None


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
