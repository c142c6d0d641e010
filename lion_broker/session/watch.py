"""Watching a session live: a picture in a terminal, lines where there is none."""

from __future__ import annotations

import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from lion_broker.core.portable import one_line
from lion_broker.insight.tail import Happenings
from lion_broker.insight.views import Happening
from lion_broker.mail.exchange import Exchange, arun
from lion_broker.mail.verbs import ReadBranches, ReadSession

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["watch"]

_WAIT_MS: Final = 250
_LINES: Final = 15
_BRANCHES: Final = 20
_LONGEST: Final = 100


@dataclass(slots=True)
class Watched:
    """What was seen so far: how much each branch did, and the latest happenings in words."""

    title: str
    names: dict[str, str] = field(default_factory=dict)
    applied: Counter[str] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=_LINES))

    def note(self, one: Happening) -> str:
        """Take note of a happening; returns it in words."""
        if one.kind == "created":
            self.names[one.branch] = one.text
        counts = {"applied": self.applied, "sent": self.sent, "failed": self.failed, "dead": self.failed}
        if one.kind in counts:
            counts[one.kind][one.branch] += 1
        line = f"{time.strftime('%H:%M:%S', time.localtime(one.at))} {one.kind:<8} {self._words(one)}"
        self.lines.append(one_line(line, _LONGEST))
        return self.lines[-1]

    def _words(self, one: Happening) -> str:
        way = f"{self.name(one.sender)} → {self.name(one.recipient)}" if one.sender else self.name(one.branch)
        told = (way, one.category, one.error, one.text)
        return " ".join(part for part in told if part)

    def name(self, branch: str) -> str:
        """What a person knows a branch by."""
        return self.names.get(branch) or branch or "?"


async def watch(exchange: Exchange, session: str, title: str, timeout: float | None, *, until_idle: bool) -> None:
    """Show what happens in a session until nothing has for `timeout` seconds, or no mail is on its way."""
    seen, tail = Watched(one_line(title, _LONGEST)), Happenings(session, "$")
    await _look_up(exchange, session, seen, ())
    quiet_since, was_idle = time.monotonic(), False
    with _shown() as show:
        while True:
            before = tail.position
            found = await arun(exchange, tail.next_steps(_WAIT_MS))
            await _look_up(exchange, session, seen, found)
            show(seen, [seen.note(one) for one in found])
            if found or tail.position != before:
                quiet_since, was_idle = time.monotonic(), False
            elif timeout is not None and time.monotonic() - quiet_since >= timeout:
                return
            elif until_idle:
                if was_idle:
                    return
                # What was on its way when the tail was read may have arrived since.
                was_idle = await _is_idle(exchange, session)


async def _look_up(exchange: Exchange, session: str, seen: Watched, found: list[Happening] | tuple[()]) -> None:
    """Find out the names of branches that are new here."""
    seen.names.setdefault(session, "session")
    ends = {end for one in found for end in (one.branch, one.sender, one.recipient) if end}
    unknown = tuple(sorted(ends - seen.names.keys()))
    if unknown:
        seen.names.update(dict.fromkeys(unknown, ""))
        for record in await exchange.acall(ReadBranches(session, unknown)):
            seen.names[record.id] = record.seed.name


async def _is_idle(exchange: Exchange, session: str) -> bool:
    record = await exchange.acall(ReadSession(session))
    return record is None or not (record.counters["inflight"] or record.counters["delayed"])


@contextmanager
def _shown() -> Iterator[Callable[[Watched, list[str]], None]]:
    """Yield what shows what was seen: drawn anew in a terminal, else the new lines."""
    if not sys.stdout.isatty():
        yield _written
        return
    from rich.live import Live

    with Live(auto_refresh=False) as live:
        yield lambda seen, lines: live.update(_drawn(seen), refresh=True)


def _written(seen: Watched, lines: list[str]) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.flush()


def _drawn(seen: Watched) -> RenderableType:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(seen.title), title_justify="left", box=None, pad_edge=False)
    table.add_column("branch", no_wrap=True, overflow="ellipsis")
    for name in ("applied", "sent", "failed"):
        table.add_column(name, justify="right")
    busiest = (seen.applied + seen.sent + seen.failed).most_common(_BRANCHES)
    for branch, _ in busiest:
        counts = (str(part[branch]) for part in (seen.applied, seen.sent, seen.failed))
        # As text: what is in a name must not be read as markup.
        table.add_row(Text(one_line(seen.name(branch), 40)), *counts)
    return Group(table, Text(), *(Text(line, no_wrap=True, overflow="ellipsis") for line in seen.lines))
