"""What `status` has seen, as plain values for programs and as text for people."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from lion_broker.core.numbers import counted
from lion_broker.insight.limits import LimitView
from lion_broker.insight.overview import LOST, Overview, Rates
from lion_broker.insight.reasons import lost_among, paused_in, still_among, versions_among
from lion_broker.insight.views import WorkerView
from lion_broker.mail.deployment import Tally

from .listing import Column, Listing, fitted
from .printing import ago, folded, took

__all__ = ["StatusReport"]

_POOLS: Final = (
    Column("pool", kind="name"),
    Column("ready", kind="number"),
    Column("claimed", kind="number", spare=2),
    Column("oldest", lambda row: ago(row["oldest_seconds"]), kind="number"),
    Column("workers", kind="number"),
    Column("paused", kind="number", rare=True),
    Column("wanted", kind="number", spare=1),
    Column("seats", "capacity", kind="number", spare=3),
)
_WORKERS: Final = (
    Column("worker", "owner", kind="name"),
    Column("state", kind="state"),
    Column("pool", kind="text", spare=2),
    Column("active", kind="number"),
    Column("turns", kind="number", spare=6),
    Column("mails", kind="number", spare=3),
    Column("late", kind="number", rare=True, spare=2),
    Column("rescued", kind="number", spare=7),
    Column("up", kind="number", spare=4),
    Column("heard", kind="number", spare=1),
    Column("version", spare=5),
)
_LIMITS: Final = (
    Column("limit of", "model", kind="name"),
    Column("each", kind="number", spare=3),
    Column("requests left", "requests", kind="number"),
    Column("tokens left", "tokens", kind="number", spare=1),
    Column("calls waiting", "calls", kind="number", spare=2),
    Column("next in", "wait", kind="number", spare=2),
)
_SESSIONS: Final = (
    Column("session", kind="id"),
    Column("name", kind="text"),
    Column("branches", kind="number", spare=2),
    Column("in flight", "inflight", kind="number"),
    Column("delayed", kind="number", spare=1),
    Column("unreceived", kind="number", rare=True),
    Column("dead", kind="number"),
)
_MAIL: Final = ("posted", "applied", "inflight", "retrying", "delayed", "unreceived", "redelivered", "dead")


@dataclass(frozen=True, slots=True)
class StatusReport:
    """A look at a deployment, with where it is and, from the second look on, how fast its mail moves."""

    url: str
    profile: str
    namespace: str
    seen: Overview
    rates: Rates | None
    busiest: list[Tally]
    names: Mapping[str, str]
    limits: tuple[LimitView, ...] = ()

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
            "paused": seen.paused,
            "rates": self.rates and asdict(self.rates),
            "pools": [asdict(pool) for pool in seen.pools],
            "workers": [asdict(worker) for worker in seen.workers],
            "limits": [asdict(limit) for limit in self.limits],
            "busiest": self._sessions(),
        }

    def text(self, room: int | None = None) -> str:
        """Return everything as a few lines and tables, of at most `room` signs a line where that can be."""
        found = [fitted(one, room) for one in self.tables()]
        lines = [folded(one, room) for one in (self.heading(), self.sums(), *self.speed())]
        parts = ["\n".join(lines), *(one.text() for one in found)]
        advice = list(self.advice())
        # Commands are to be copied: where they are too long, the terminal breaks their lines, and nothing is put in.
        parts += ["\n".join(advice)] if advice else []
        parts += [folded(one, room) for one in _no_room([name for one in found for name in one.left_out])]
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
            "not received yet": seen.unreceived,
            "redelivered": seen.redelivered,
            "dead": seen.dead,
        }
        parts = [f"{counted(seen.posted, 'mail')} posted", f"{seen.applied} applied", f"{seen.inflight} in flight"]
        parts += [f"{number} {word}" for word, number in odd.items() if number]
        more = "more than " if seen.more else ""
        paused = f" ({seen.paused} paused)" if seen.paused else ""
        branches = f"{counted(seen.branches, 'branch')}{paused}"
        return f"{more}{counted(seen.sessions, 'session')}, {branches}: {', '.join(parts)}"

    def speed(self) -> Iterator[str]:
        """Yield a line about how fast mail moves, when that is known."""
        if self.rates:
            found = self.rates
            yield (
                f"{found.applied:,.1f} mails/s applied, {found.posted:,.1f} posted, {found.redelivered:,.1f}"
                f" redelivered, {found.dead:,.1f} dead"
            )

    def tables(self) -> Iterator[Listing]:
        """Yield what there is of pools, workers, limits of models, and sessions with most to do."""
        sessions = self._sessions()
        told: list[tuple[Sequence[Mapping[str, Any]], Sequence[Column]]] = [
            ([asdict(pool) for pool in self.seen.pools], _POOLS),
            ([_worker(worker, self.seen.at) for worker in self.seen.workers], _WORKERS),
            ([_limit(limit) for limit in self.limits], _LIMITS),
            (sessions, _SESSIONS),
        ]
        yield from (Listing(rows, columns, "") for rows, columns in told if rows)

    def advice(self) -> Iterator[str]:
        """Yield what is to be done, each with the command that does it."""
        for reason in filter(None, map(paused_in, self.seen.pools)):
            yield f"{reason.text.removesuffix('.')}: {reason.command}"
        if lost := lost_among(self.seen.workers, self.seen.pools, self.seen.at):
            yield f"{lost.text.removesuffix('.')}; once you know of it: {lost.command}"
        if still := still_among(self.seen.workers):
            yield f"{still.text.removesuffix('.')}; which mail it is: {still.command}"
        if versions := versions_among(self.seen.workers):
            yield f"{versions.text.removesuffix('.')}; those of one hand over: {versions.command}"
        for pool in self.seen.pools:
            if pool.ready and not pool.workers and pool.wanted == 0:
                yield (
                    f"The pool {pool.pool} is scaled to no workers, and work waits there:"
                    f" lion-broker scale {pool.pool} 1"
                )
            elif pool.ready and not pool.workers:
                yield (
                    f"Nobody serves the pool {pool.pool}, where work waits:"
                    f" lion-broker worker --app MODULE:NAME --pool {pool.pool}"
                )
        if unreceived := self.seen.unreceived:
            more = f", and perhaps more in {counted(self.seen.unseen, 'session')}" if self.seen.unseen else ""
            most = max(self.seen.inboxes, key=lambda session: (self.seen.inboxes[session], session))
            yield (
                f"{counted(unreceived, 'mail')} not received yet{more}; a program's own branches have theirs when the"
                f" program receives, and no worker takes it: lion-broker mail ls {most} --state waiting"
            )
        if self.seen.dead:
            yield f"{counted(self.seen.dead, 'dead letter')} to look at: lion-broker dead ls"
        if not self.seen.sessions and not self.seen.workers:
            yield "Nothing is here yet: lion-broker demo research --keep shows a session at work."

    def _sessions(self) -> list[dict[str, Any]]:
        inboxes = self.seen.inboxes
        return [
            {**asdict(tally), "unreceived": inboxes.get(tally.session, 0), "name": self._name(tally)}
            for tally in self.busiest
        ]

    def _name(self, tally: Tally) -> str:
        from pydantic_core import from_json

        stored = self.names.get(tally.session)
        return str(from_json(stored) or "") if stored else ""


def _no_room(headings: Sequence[str]) -> Iterator[str]:
    if headings:
        yield f"No room for {', '.join(dict.fromkeys(headings))}: --json has all."


def _limit(limit: LimitView) -> dict[str, Any]:
    return {
        "model": limit.model,
        "each": ago(limit.interval_seconds),
        "requests": _left(limit.requests_left, limit.limit_requests),
        "tokens": _left(limit.tokens_left, limit.limit_tokens),
        "calls": limit.calls,
        "wait": None if limit.wait_seconds is None else ago(limit.wait_seconds),
    }


def _left(left: float | None, limit: int | None) -> str | None:
    return None if left is None or limit is None else f"{math.floor(left)}/{limit}"


def _worker(worker: WorkerView, now: float) -> dict[str, Any]:
    return {
        **asdict(worker),
        "active": f"{worker.active}/{worker.concurrency}",
        "late": took(worker.late_seconds) if worker.is_behind else None,
        "up": ago((worker.heard if worker.state in ("stopped", LOST) else now) - worker.started),
        "heard": ago(now - worker.heard),
    }
