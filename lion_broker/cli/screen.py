"""Draws what `status --watch` sees on a screen of its own, which leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from .printing import cell

if TYPE_CHECKING:
    from .sight import Sight

__all__ = ["drawn", "screen"]

_STYLES: Final = {"draining": "yellow", "stopped": "dim", "lost": "bold red"}
_WORDS: Final = ("worker", "state", "pool", "session", "name", "version")
"""Columns of words; the others hold numbers."""
_AROUND: Final = 12
"""Lines that are no rows of tables."""


@contextmanager
def screen(console: Console | None = None) -> Iterator[Callable[[Sight, str], None]]:
    """Yield a function that draws a look, and what is wrong; the terminal is as before in the end."""
    console = console or Console()
    with Live(console=console, screen=True, auto_refresh=False) as live:
        yield lambda sight, trouble: live.update(drawn(sight, trouble, console.height), refresh=True)


def drawn(sight: Sight, trouble: str, height: int) -> Group:
    """Return a look as what rich prints, at most `height` lines high: of long tables the first rows."""
    moment = datetime.fromtimestamp(sight.seen.at).astimezone().strftime("%H:%M:%S")
    parts: list[RenderableType] = [
        Text(f"{moment}  {cell(sight.heading())}", style="bold", no_wrap=True, overflow="ellipsis"),
        Text(f"{cell(trouble)} Looking again.", style="bold red") if trouble else Text(sight.sums()),
        Text("  ".join(sight.speed()) or "rates with the next look", style="cyan"),
    ]
    tables = [rows for rows in (sight.pools(), sight.workers(), sight.sessions()) if rows]
    room = max(3, (height - _AROUND) // max(1, len(tables)))
    for rows in tables:
        parts += [Text(), _table(rows[:room])]
        if len(rows) > room:
            parts.append(Text(f"… and {len(rows) - room} more: lion-broker status", style="dim"))
    parts += [Text(line, style="yellow") for line in sight.advice()]
    return Group(*parts)


def _table(rows: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in rows[0]:
        words = name in _WORDS
        # Where it is narrow, words are cut and numbers are not.
        least = None if words else max(len(name), *(len(cell(row[name])) for row in rows))
        table.add_column(name, justify="left" if words else "right", no_wrap=True, overflow="ellipsis", min_width=least)
    for row in rows:
        # As text: what is in a name must not be read as markup.
        table.add_row(*(Text(cell(value)) for value in row.values()), style=_STYLES.get(str(row.get("state")), ""))
    return table
