"""Prints what commands have found, for people as text in columns, for programs as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import typer

__all__ = ["moment", "print_json", "print_rows"]


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
        lines = [[name.upper() for name in rows[0]], *([_cell(value) for value in row.values()] for row in rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        for line in lines:
            typer.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def moment(seconds: float | None) -> str:
    """Return a time since the epoch as ISO 8601 text in UTC; an empty text for None."""
    from datetime import UTC, datetime

    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _cell(value: Any) -> str:
    if value is None or value == "":
        return "-"
    return str(value).replace("\n", " ")
