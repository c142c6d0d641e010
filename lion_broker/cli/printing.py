"""Prints what commands have found, for people as text in columns, for programs as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import typer

__all__ = ["ago", "branch_cell", "cell", "columns", "moment", "print_json", "print_rows"]

_CONTROLS = dict.fromkeys((*range(32), *range(127, 160)), "�") | {10: " "}
"""What must not reach a terminal out of somebody's data: it could move the cursor, or worse."""


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


def moment(seconds: float | None) -> str:
    """Return a time since the epoch as ISO 8601 text in UTC; an empty text for None."""
    from datetime import UTC, datetime

    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def ago(seconds: float) -> str:
    """Return a length of time in at most four characters, `-` for none: `0.4s`, `12s`, `5m`, `3h`, `12d`."""
    if seconds <= 0:
        return "-"
    for unit, length, most in (("s", 1, 60), ("m", 60, 60), ("h", 3600, 48)):
        if seconds < length * most:
            return f"{seconds:.1f}s" if seconds < 10 and length == 1 else f"{seconds / length:.0f}{unit}"
    return f"{seconds / 86400:.0f}d"


def cell(value: Any) -> str:
    """Return a value as a person reads it in a table: on one line, and without signs that steer a terminal."""
    if value is None or value == "":
        return "-"
    return str(value).translate(_CONTROLS)


def branch_cell(branch: str, names: Mapping[str, str]) -> str:
    """Return what a person knows a branch by: its name, or, as long as tells it apart, its id."""
    name = names.get(branch) or branch
    return cell(f"{branch[:18]}…" if name == branch and len(branch) > 19 else name)
