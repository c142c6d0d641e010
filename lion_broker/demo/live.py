"""Draws the desk at work in a terminal, and how it ended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.markdown import Markdown
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable

    from lion_broker.demo.picture import Picture

__all__ = ["show_report", "watching"]


@contextmanager
def watching(console: Console) -> Iterator[Callable[[Picture], None]]:
    """Yield a function that draws a picture in place of the one before; nothing of it stays in the end."""
    with Live(console=console, refresh_per_second=12, transient=True) as live:
        yield lambda picture: live.update(_drawn(picture))


def show_report(console: Console, markdown: str) -> None:
    """Print a report as a terminal shows Markdown."""
    console.print(Markdown(markdown), width=min(console.width, 110))


def _drawn(picture: Picture) -> Group:
    table = Table(title=f"research desk, {picture.seconds:.1f} s", title_justify="left", box=None, pad_edge=False)
    for name in ("branch", "worker", "turns", "in", "out", "latest"):
        right = name in ("turns", "in", "out")
        table.add_column(name, justify="right" if right else "left", no_wrap=True, overflow="ellipsis")
    for row in picture.rows.values():
        style = "bold" if row.at_work else "dim"
        counts = (str(row.turns), str(row.taken), str(row.sent))
        cells = (row.name, f"{row.worker}{' …' if row.at_work else ''}", *counts, row.latest)
        # As text: what is in a message must not be read as markup.
        table.add_row(*(Text(cell) for cell in cells), style=style)
    return Group(table, Text(), *(Text(line, no_wrap=True, overflow="ellipsis") for line in picture.lines))
