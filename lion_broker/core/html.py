"""Tables as HTML, for notebooks: escaped, bounded, and readable in light and dark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from itertools import islice
from typing import Any, Final

from lion_broker.core.portable import one_line

__all__ = ["ROWS", "table_html"]

ROWS: Final = 20
"""Rows that are shown; a notebook keeps what it has shown."""
_CELL: Final = 300


def table_html(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], left_out: int = 0) -> str:
    """Return a table with a title, of at most 20 rows; cells are cut to 300 characters, and None is empty.

    `left_out` is how many rows there are that are not given.
    """
    shown = list(islice(iter(rows), ROWS))
    head = "".join(f"<th style='text-align:left'>{escape(name)}</th>" for name in columns)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in shown)
    more = f"<p>… and {left_out:,} more</p>" if left_out else ""
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>" if shown else ""
    return f"<div><p><code>{escape(one_line(title, _CELL))}</code></p>{table}{more}</div>"


def _cell(value: Any) -> str:
    text = "" if value is None else escape(one_line(value, _CELL))
    return f"<td style='text-align:left'>{text}</td>"
