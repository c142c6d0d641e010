"""Draws what `status --watch` sees on a screen of its own, which leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from .listing import Listing, fitted
from .printing import cell

if TYPE_CHECKING:
    from .status_report import StatusReport

__all__ = ["drawn", "screen"]

_STYLES: Final = {"draining": "yellow", "stopped": "dim", "lost": "bold red"}
_AROUND: Final = 12
"""Lines that are no rows of tables."""


@contextmanager
def screen(console: Console | None = None) -> Iterator[Callable[[StatusReport, str], None]]:
    """Yield a function that draws a look, and what is wrong; the terminal is as before in the end."""
    console = console or Console()
    with Live(console=console, screen=True, auto_refresh=False) as live:
        yield lambda sight, trouble: live.update(drawn(sight, trouble, *console.size), refresh=True)


def drawn(sight: StatusReport, trouble: str, width: int, height: int) -> Group:
    """Return a look as what rich prints in such a place: of long tables the first rows, of long words the beginning."""
    moment = datetime.fromtimestamp(sight.seen.at).astimezone().strftime("%H:%M:%S")
    parts: list[RenderableType] = [
        Text(f"{moment}  {cell(sight.heading())}", style="bold", no_wrap=True, overflow="ellipsis"),
        Text(f"{cell(trouble)} Looking again.", style="bold red") if trouble else Text(sight.sums()),
        Text("  ".join(sight.speed()) or "rates with the next look", style="cyan"),
    ]
    tables = list(sight.tables())
    room = max(3, (height - _AROUND) // max(1, len(tables)))
    for one in tables:
        parts += [Text(), _table(replace(one, rows=one.rows[:room]), width)]
        if len(one.rows) > room:
            parts.append(Text(f"… and {len(one.rows) - room} more: lion-broker status", style="dim"))
    parts += [Text(line, style="yellow") for line in sight.advice()]
    return Group(*parts)


def _table(listing: Listing, width: int) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    found = fitted(listing, width)
    for column in found.columns:
        table.add_column(column.heading, justify="right" if column.kind == "number" else "left", no_wrap=True)
    for row, cells in zip(listing.rows, found.cells, strict=True):
        # As text: what is in a name must not be read as markup.
        table.add_row(*map(Text, cells), style=_STYLES.get(str(row.get("state")), ""))
    return table
