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
        yield lambda sight, trouble: live.update(drawn(sight, trouble, *console.size), refresh=True)


def drawn(sight: Sight, trouble: str, width: int, height: int) -> Group:
    """Return a look as what rich prints in such a place: of long tables the first rows, of long words the beginning."""
    moment = datetime.fromtimestamp(sight.seen.at).astimezone().strftime("%H:%M:%S")
    parts: list[RenderableType] = [
        Text(f"{moment}  {cell(sight.heading())}", style="bold", no_wrap=True, overflow="ellipsis"),
        Text(f"{cell(trouble)} Looking again.", style="bold red") if trouble else Text(sight.sums()),
        Text("  ".join(sight.speed()) or "rates with the next look", style="cyan"),
    ]
    tables = [rows for rows in (sight.pools(), sight.workers(), sight.sessions()) if rows]
    room = max(3, (height - _AROUND) // max(1, len(tables)))
    for rows in tables:
        parts += [Text(), _table(rows[:room], width)]
        if len(rows) > room:
            parts.append(Text(f"… and {len(rows) - room} more: lion-broker status", style="dim"))
    parts += [Text(line, style="yellow") for line in sight.advice()]
    return Group(*parts)


def _table(rows: Sequence[Mapping[str, Any]], width: int) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name, most in _widths(rows, width).items():
        table.add_column(name, justify="left" if name in _WORDS else "right", no_wrap=True, max_width=most)
    for row in rows:
        # As text: what is in a name must not be read as markup.
        table.add_row(*(Text(cell(value)) for value in row.values()), style=_STYLES.get(str(row.get("state")), ""))
    return table


def _widths(rows: Sequence[Mapping[str, Any]], width: int) -> dict[str, int]:
    """Return how wide each column may be: numbers as they are, and of words the longest are cut to what is left."""
    natural = {name: max(len(name), *(len(cell(row[name])) for row in rows)) for name in rows[0]}
    room = width - 2 * len(natural) - sum(long for name, long in natural.items() if name not in _WORDS)
    fitted = dict(natural)
    words = sorted((name for name in natural if name in _WORDS), key=lambda name: natural[name])
    for place, name in enumerate(words):
        fitted[name] = max(4, min(natural[name], room // (len(words) - place)))
        room -= fitted[name]
    return fitted
