"""The figures of a namespace over the last hour.

They are read every two seconds as long as somebody looks, or all the time in a gateway; more seldom where reading takes
long.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from lion_broker.errors import LionError
from lion_broker.insight.overview import Overview, Rates, overview_steps, rates
from lion_broker.mail.exchange import Exchange, arun

from .live import Signal
from .sample import Sample, Sampled

__all__ = ["Beat", "Pulse"]

EVERY_SECONDS: Final = 2.0
_KEPT: Final = 1800
_SHARE: Final = 0.05
"""Reading takes at most this share of the time."""
_POOLS: Final = 20
"""Pools of which it is kept how they were doing."""
_IDLE_SECONDS: Final = 600.0
_TOTALS: Final = ("sessions", "branches", "posted", "applied", "redelivered", "dead", "inflight", "delayed", "retrying")


@dataclass(frozen=True, slots=True)
class Beat:
    """One look: the deployment, how fast its mail moved since the look before, and how long mail took.

    `handled` is how many mails the workers of each pool have handled since the look before.
    """

    overview: Overview
    rates: Rates
    sampled: Sampled
    handled: Mapping[str, int] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """Return it as plain values, for charts and programs."""
        seen = self.overview
        return {
            "at": round(seen.at, 3),
            "totals": {name: getattr(seen, name) for name in _TOTALS},
            "rates": {name: round(value, 2) for name, value in asdict(self.rates).items()},
            "sampled": asdict(self.sampled),
            "waiting_branches": seen.waiting,
            "oldest_seconds": round(seen.oldest_seconds, 3),
            "workers": sum(worker.state == "running" for worker in seen.workers),
            "more_sessions": seen.more,
            "pools": {one.pool: [one.ready, self.handled.get(one.pool, 0)] for one in seen.pools[:_POOLS]},
        }


class Pulse:
    """Looks at a deployment again and again; `beats` are the looks of the last hour, as plain values, oldest first."""

    def __init__(self, exchange: Exchange, *, always: bool = False) -> None:
        self._exchange = exchange
        self._always = always
        self._sample = Sample()
        self._task: asyncio.Task[None] | None = None
        self._asked = 0.0
        self.latest: Beat | None = None
        self.beats: deque[dict[str, Any]] = deque(maxlen=_KEPT)
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
        """Look now; raises BrokerUnavailable."""
        before = self.latest.overview if self.latest else None
        seen = await arun(self._exchange, overview_steps())
        grown = _grown(before, seen)
        sampled = await arun(self._exchange, self._sample.look_steps(grown))
        speed = rates(before, seen) if before is not None else None
        self.latest = Beat(seen, speed or Rates(0.0, 0.0, 0.0, 0.0, 0.0), sampled, _handled(before, seen))
        self.beats.append(self.latest.plain())
        return self.latest

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


def _handled(before: Overview | None, seen: Overview) -> dict[str, int]:
    """How many mails the workers of each pool have handled since the look before, by their heartbeats."""
    known = {one.owner: one.mails for one in before.workers} if before else {}
    found: Counter[str] = Counter()
    for one in seen.workers:
        # Of a worker that was not there before nothing is known of when it handled what it has.
        found[one.pool] += max(0, one.mails - known.get(one.owner, one.mails))
    return dict(found)


def _grown(before: Overview | None, seen: Overview) -> dict[str, int]:
    """How much mail each session has applied since the look before; those that have mail in flight are among them."""
    known = {one.session: one.applied for one in before.tallies} if before else {}
    return {
        one.session: one.applied - known.get(one.session, one.applied)
        for one in seen.tallies
        if one.inflight or one.applied > known.get(one.session, one.applied)
    }
