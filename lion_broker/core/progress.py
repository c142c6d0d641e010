"""Says on a terminal how far long work is; nothing in pipes, and nothing of what is over at once."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

__all__ = ["progress"]

AFTER_SECONDS: Final = 0.5
"""Work that is over by then is not told of."""
_LOOKS_A_SECOND: Final = 4
"""How often a bar is drawn: it is no part of the work, and what is measured beside it is to stay as it is."""


@contextmanager
def progress(what: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Yield what is to be called with how many more are done of `total`, or of a number that nobody knows.

    A bar stands on stderr, where that is a terminal, until the work is over.
    """
    if not sys.stderr.isatty():
        yield lambda count: None
        return
    began, done = time.monotonic(), 0
    bar: Any = None

    def step(count: int) -> None:
        nonlocal bar, done
        done += count
        if bar is None and time.monotonic() - began >= AFTER_SECONDS:
            bar = _bar(what, total)
        if bar is not None:
            bar.update(bar.task_ids[0], completed=done)

    try:
        yield step
    finally:
        if bar is not None:
            bar.stop()


def _bar(what: str, total: int | None) -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True, refresh_per_second=_LOOKS_A_SECOND)
    bar.add_task(what, total=total)
    bar.start()
    return bar
