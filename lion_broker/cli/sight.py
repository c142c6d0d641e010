"""What `status` has seen, as plain values for programs and as text for people."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lion_broker.insight.limits import LimitPicture
from lion_broker.insight.overview import LOST, Overview, Rates
from lion_broker.insight.pictures import PoolPicture, WorkerPicture
from lion_broker.mail.deployment import Tally

from .printing import ago, cell, columns, counted

__all__ = ["Sight"]

_MAIL = ("posted", "applied", "inflight", "retrying", "delayed", "redelivered", "dead")


@dataclass(frozen=True, slots=True)
class Sight:
    """A look at a deployment, with where it is and, from the second look on, how fast its mail moves."""

    url: str
    profile: str
    namespace: str
    seen: Overview
    rates: Rates | None
    busiest: list[Tally]
    names: Mapping[str, str]
    limits: tuple[LimitPicture, ...] = ()

    def plain(self) -> dict[str, Any]:
        """Return everything as plain values."""
        seen = self.seen
        return {
            "at": seen.at,
            "server": {"url": self.url, "profile": self.profile, "namespace": self.namespace},
            "sessions": seen.sessions,
            "more_sessions": seen.more,
            "branches": seen.branches,
            "mail": {name: getattr(seen, name) for name in _MAIL},
            "waiting": seen.waiting,
            "oldest_seconds": seen.oldest_seconds,
            "rates": self.rates and asdict(self.rates),
            "pools": [asdict(pool) for pool in seen.pools],
            "workers": [asdict(worker) for worker in seen.workers],
            "limits": [asdict(limit) for limit in self.limits],
            "busiest": [{**asdict(tally), "name": self._name(tally)} for tally in self.busiest],
        }

    def text(self) -> str:
        """Return everything as a few lines and tables."""
        parts = ["\n".join((self.heading(), self.sums(), *self.speed()))]
        parts += [columns(rows) for rows in (self.pools(), self.workers(), self.models(), self.sessions()) if rows]
        parts += ["\n".join(advice)] if (advice := list(self.advice())) else []
        return "\n\n".join(parts)

    def heading(self) -> str:
        """Return where this is, and what survives there."""
        return f"{self.url}  namespace {self.namespace}  profile {self.profile}"

    def sums(self) -> str:
        """Return the numbers of sessions, branches and mails; of what is out of the ordinary, those that are not 0."""
        seen = self.seen
        odd = {
            "to be tried again": seen.retrying,
            "delayed": seen.delayed,
            "redelivered": seen.redelivered,
            "dead": seen.dead,
        }
        parts = [f"{seen.posted} mails posted", f"{seen.applied} applied", f"{seen.inflight} in flight"]
        parts += [f"{number} {word}" for word, number in odd.items() if number]
        more = "more than " if seen.more else ""
        return f"{more}{counted(seen.sessions, 'session')}, {counted(seen.branches, 'branch')}: {', '.join(parts)}"

    def speed(self) -> Iterator[str]:
        """Yield a line about how fast mail moves, when that is known."""
        if self.rates:
            found = self.rates
            yield (
                f"{found.applied:,.1f} mails/s applied, {found.posted:,.1f} posted, {found.redelivered:,.1f}"
                f" redelivered, {found.dead:,.1f} dead"
            )

    def pools(self) -> list[dict[str, Any]]:
        """Return a row for each pool."""
        return [_pool(pool) for pool in self.seen.pools]

    def workers(self) -> list[dict[str, Any]]:
        """Return a row for each worker."""
        return [_worker(worker, self.seen.at) for worker in self.seen.workers]

    def models(self) -> list[dict[str, Any]]:
        """Return a row for each limit of a model."""
        return [_limit(limit) for limit in self.limits]

    def sessions(self) -> list[dict[str, Any]]:
        """Return a row for each of the sessions with most to do."""
        return [
            {
                "session": tally.session,
                "name": cell(self._name(tally)),
                "branches": tally.branches,
                "in flight": tally.inflight,
                "delayed": tally.delayed,
                "dead": tally.dead,
            }
            for tally in self.busiest
        ]

    def advice(self) -> Iterator[str]:
        """Yield what is to be done, each with the command that does it."""
        for pool in self.seen.pools:
            if pool.ready and not pool.workers:
                yield (
                    f"Nobody serves the pool {pool.pool}, where work waits:"
                    f" lion-broker worker --app MODULE:NAME --pool {pool.pool}"
                )
        if self.seen.dead:
            yield f"{counted(self.seen.dead, 'dead letter')} to look at: lion-broker dead ls"
        if not self.seen.sessions and not self.seen.workers:
            yield "Nothing is here yet: lion-broker demo research --keep shows a session at work."

    def _name(self, tally: Tally) -> str:
        from pydantic_core import from_json

        stored = self.names.get(tally.session)
        return str(from_json(stored) or "") if stored else ""


def _pool(pool: PoolPicture) -> dict[str, Any]:
    return {
        "pool": pool.pool,
        "ready": pool.ready,
        "claimed": pool.claimed,
        "oldest": ago(pool.oldest_seconds),
        "workers": pool.workers,
        "wanted": pool.wanted,
        "seats": pool.capacity,
    }


def _limit(limit: LimitPicture) -> dict[str, Any]:
    return {
        "limit of": cell(limit.model),
        "each": ago(limit.interval_seconds),
        "requests left": _left(limit.requests_left, limit.limit_requests),
        "tokens left": _left(limit.tokens_left, limit.limit_tokens),
        "calls waiting": limit.calls,
        "next in": None if limit.wait_seconds is None else ago(limit.wait_seconds),
    }


def _left(left: float | None, limit: int | None) -> str | None:
    return None if left is None or limit is None else f"{math.floor(left)}/{limit}"


def _worker(worker: WorkerPicture, now: float) -> dict[str, Any]:
    return {
        "worker": cell(worker.owner),
        "state": worker.state,
        "pool": worker.pool,
        "active": f"{worker.active}/{worker.concurrency}",
        "turns": worker.turns,
        "mails": worker.mails,
        "rescued": worker.rescued,
        "up": ago((worker.heard if worker.state in ("stopped", LOST) else now) - worker.started),
        "heard": ago(now - worker.heard),
        "version": cell(worker.version),
    }
