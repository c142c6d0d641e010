"""Prints what commands have found, for people as text in columns, for programs as JSON."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from re import sub
from shutil import get_terminal_size
from textwrap import wrap
from typing import Any, Final

import typer

__all__ = [
    "ago",
    "branch_cell",
    "cell",
    "columns",
    "folded",
    "has_colours",
    "moment",
    "paint",
    "print_json",
    "print_rows",
    "room_of_terminal",
    "short_id",
    "since",
    "took",
    "width_of",
]

_CONTROLS = dict.fromkeys((*range(32), *range(127, 160)), "�") | {10: " "}
"""What must not reach a terminal out of somebody's data: it could move the cursor, or worse."""
_NO_BREAK: Final = "\x00"
"""Stands for a space at which no line may end, while lines are made."""
_ID: Final = 36
_DASHES: Final = 4
_COLOURS: Final = {
    "applied": "green",
    "running": "green",
    "working": "cyan",
    "sent": "cyan",
    "retrying": "yellow",
    "paused": "yellow",
    "draining": "yellow",
    "failed": "red",
    "dead": "red",
    "lost": "red",
    "gap": "red",
}


def print_json(value: Any) -> None:
    """Print one JSON value on one line of stdout."""
    from pydantic_core import to_json

    typer.echo(to_json(value).decode())


def print_rows(rows: Sequence[Mapping[str, Any]], as_json: bool, empty: str) -> None:
    """Print rows of the same keys: aligned columns under their names, or a JSON list; `empty` stands for no rows."""
    if as_json:
        print_json(rows)
    elif not rows:
        typer.echo(empty)
    else:
        typer.echo(columns(rows))


def columns(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows of the same keys, at least one, as aligned columns under their names."""
    lines = [[name.upper() for name in rows[0]], *([cell(value) for value in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def room_of_terminal() -> int | None:
    """Return how many signs a line of the terminal has; None where stdout is none."""
    return get_terminal_size().columns if sys.stdout.isatty() else None


def folded(text: str, room: int | None, indent: int = 0) -> str:
    """Return a line of prose as lines of at most `room` signs where that can be, the later ones indented.

    Words are never cut, and what stands between backticks stays on one line: it is there to be copied.
    """
    if room is None or width_of(text) <= room:
        return text
    kept = sub("`[^`]*`", lambda found: found[0].replace(" ", _NO_BREAK), text)
    begin = " " * min(indent, room // 2)
    lines = wrap(kept, room, subsequent_indent=begin, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines).replace(_NO_BREAK, " ")


def moment(seconds: float | None) -> str:
    """Return a time since the epoch as ISO 8601 text in UTC; an empty text for None."""
    from datetime import UTC, datetime

    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def ago(seconds: float) -> str:
    """Return a length of time in at most four characters, `-` for none: `0.4s`, `5s`, `12s`, `5m`, `3h`, `12d`."""
    if seconds <= 0:
        return "-"
    if seconds < 9.95:
        return f"{seconds:.1f}".removesuffix(".0") + "s"
    for unit, length, most in (("s", 1, 59.5), ("m", 60, 59.5), ("h", 3600, 48)):
        if seconds < length * most:
            return f"{seconds / length:.0f}{unit}"
    return f"{seconds / 86400:.0f}d"


def since(moment: str) -> str:
    """Return how long ago a moment was that `moment` has written, as `ago` says it."""
    from datetime import UTC, datetime

    return ago(max(0.1, (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds())) if moment else "-"


def took(seconds: float | None) -> str:
    """Return how long something took in at most five characters: `8ms`, `2.1s`, `5m`; empty where it is not known."""
    if seconds is None:
        return ""
    return f"{seconds * 1000:.0f}ms" if seconds < 0.9995 else ago(seconds)


def cell(value: Any) -> str:
    """Return a value as a person reads it in a table: on one line, and without signs that steer a terminal."""
    if value is None or value == "":
        return "-"
    return str(value).translate(_CONTROLS)


def short_id(text: str, shown: int = 10) -> str:
    """Return an id as the end of it, which tells it apart and finds it again; another text as it is."""
    return f"…{text[1 - shown :]}" if len(text) == _ID and text.count("-") == _DASHES else text


def has_colours() -> bool:
    """Whether stdout is a terminal with colours, and nobody has asked for none (no-color.org)."""
    from lion_broker.config import of_terminal

    return sys.stdout.isatty() and not of_terminal("NO_COLOR") and of_terminal("TERM") not in ("", "dumb")


def paint(word: str, text: str | None = None) -> str:
    """Return the word for a state, or a text about it, in the colour of that state, where stdout shows colours."""
    shown = word if text is None else text
    return typer.style(shown, fg=_COLOURS[word]) if word in _COLOURS and has_colours() else shown


def width_of(text: str) -> int:
    """Return how many places of a terminal a text takes: signs of eastern languages take two, accents none."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def branch_cell(branch: str, names: Mapping[str, str]) -> str:
    """Return what a person knows a branch by: its name, or, as long as tells it apart, its id."""
    name = names.get(branch) or branch
    return cell(f"{branch[:18]}…" if name == branch and len(branch) > 19 else name)
