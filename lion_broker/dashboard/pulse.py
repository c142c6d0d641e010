"""The figures of a namespace over the last hour, from the counters of its sessions.

They are read every two seconds as long as somebody looks, or all the time in a gateway; more seldom where reading takes
long. Rates come from each session's own counters, so a session that is deleted takes nothing away.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from lion_broker.errors import LionError
from lion_broker.mail.exchange import Exchange
from lion_broker.mail.records import SessionRecord
from lion_broker.mail.verbs import ListSessions, ReadSession, Verb

from .live import Signal

__all__ = ["Beat", "Pulse"]

EVERY_SECONDS: Final = 2.0
_KEPT: Final = 1800
_SHARE: Final = 0.05
"""Reading takes at most this share of the time."""
_SESSIONS: Final = 1000
_TOGETHER: Final = 200
_IDLE_SECONDS: Final = 600.0
_FLOWS: Final = ("posted", "applied", "redelivered", "dead")


@dataclass(frozen=True, slots=True)
class Beat:
    """One look: when (seconds since the epoch), the totals, and what was added per second since the last look."""

    at: float
    sessions: int
    branches: int
    totals: Mapping[str, int]
    rates: Mapping[str, float] = field(default_factory=dict)

    def plain(self) -> dict[str, object]:
        """Return it as plain values."""
        rates = {name: round(rate, 2) for name, rate in self.rates.items()}
        return {
            "at": round(self.at, 3),
            "sessions": self.sessions,
            "branches": self.branches,
            "totals": dict(self.totals),
            "rates": rates,
        }


class Pulse:
    """Looks at the counters of the newest thousand sessions; `beats` are the looks of the last hour."""

    def __init__(self, exchange: Exchange, *, always: bool = False) -> None:
        self._exchange = exchange
        self._always = always
        self._counters: dict[str, Mapping[str, int]] | None = None
        self._task: asyncio.Task[None] | None = None
        self._asked = 0.0
        self.beats: deque[Beat] = deque(maxlen=_KEPT)
        self.lost = False
        self.changed = Signal()

    def wanted(self) -> None:
        """Say that somebody looks; the reading begins, or goes on."""
        self._asked = time.monotonic()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="dashboard pulse")

    async def stop(self) -> None:
        """Read no more. May be called twice."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None

    async def look(self) -> Beat:
        """Read the counters now; raises BrokerUnavailable."""
        ids = await self._exchange.acall(ListSessions())
        records: list[SessionRecord] = []
        newest = ids[-_SESSIONS:]
        for first in range(0, len(newest), _TOGETHER):
            verbs: list[Verb[SessionRecord | None]] = [ReadSession(one) for one in newest[first : first + _TOGETHER]]
            records += [record for record in await self._exchange.acall_all(verbs) if record is not None]
        return self._take(time.time(), len(ids), records)

    def _take(self, now: float, sessions: int, records: Iterable[SessionRecord]) -> Beat:
        records = list(records)
        names = ("posted", "applied", "redelivered", "dead", "inflight", "delayed")
        totals = {name: sum(record.counters[name] for record in records) for name in names}
        counters = {record.id: record.counters for record in records}
        beat = Beat(now, sessions, sum(record.branches for record in records), totals, self._rates(now, counters))
        self._counters = counters
        self.beats.append(beat)
        return beat

    def _rates(self, now: float, counters: Mapping[str, Mapping[str, int]]) -> dict[str, float]:
        before, last = self._counters, self.beats[-1] if self.beats else None
        if before is None or last is None or now <= last.at:
            return dict.fromkeys(_FLOWS, 0.0)
        nothing = dict.fromkeys(_FLOWS, 0)
        return {
            flow: sum(max(0, new[flow] - before.get(session, nothing)[flow]) for session, new in counters.items())
            / (now - last.at)
            for flow in _FLOWS
        }

    async def _run(self) -> None:
        while self._always or time.monotonic() - self._asked < _IDLE_SECONDS:
            begun = time.monotonic()
            try:
                await self.look()
                self.lost = False
            except LionError:
                self.lost = True
            self.changed.give()
            took = time.monotonic() - begun
            await asyncio.sleep(max(EVERY_SECONDS, took / _SHARE))
