"""Where traces are replayed: an exchange, and what can be seen and done there beside the port."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from lion_broker.broker.keys import Keys
from lion_broker.mail.exchange import Exchange
from lion_broker.mail.memory import MemoryExchange
from lion_broker.mail.records import place_of
from tests.conformance.road import Road

__all__ = ["MemorySite", "ServerSite", "Site", "View"]


class View(NamedTuple):
    """How a branch stands: `ready` are the ids of its pool's ready entries, in order, and whether they were read."""

    mark: str
    ready: list[tuple[str, bool]]
    cursor: str
    version: int
    waiting: int
    leased: bool
    paused: bool
    deferred: int


class Site(Protocol):
    """An exchange seen from below."""

    @property
    def exchange(self) -> Exchange:
        """The port."""

    def look(self, road: Road, branch: str) -> View:
        """How a branch stands."""

    def expire(self, road: Road, branch: str) -> None:
        """Let the lease of a branch run out, now."""

    def ripen(self, road: Road, branch: str) -> None:
        """Let the lanes of a branch come due, now."""


@dataclass
class ServerSite:
    """An exchange on a server, with a plain client of it."""

    exchange: Exchange
    keys: Keys
    client: Any

    def look(self, road: Road, branch: str) -> View:
        """Read the fields and streams themselves."""
        ready, key = self.keys.ready(road.pool, 0), self.keys.branch(road.session, branch)
        pipe = self.client.pipeline(transaction=False)
        pipe.hmget(key, "q", "cursor", "version", "lease", "paused", "deferred")
        pipe.xlen(f"{key}:mailbox")
        pipe.time()
        pipe.xrange(ready)
        pipe.xpending_range(ready, "workers", "-", "+", 100)
        fields, waiting, (now, _), entries, pending = pipe.execute(raise_on_error=False)
        mark, cursor, version, lease, paused, deferred = fields
        # Before the first read there is no group, and nothing is pending.
        read = set() if isinstance(pending, Exception) else {row["message_id"] for row in pending}
        return View(
            (mark or b"").decode(),
            [(entry.decode(), entry in read) for entry, _ in entries],
            cursor.decode(),
            int(version),
            waiting,
            int(lease or 0) > now * 1000,
            paused is not None,
            int(deferred or 0),
        )

    def expire(self, road: Road, branch: str) -> None:
        """Write an end of the lease that is long past."""
        self.client.hset(self.keys.branch(road.session, branch), "lease", 1)

    def ripen(self, road: Road, branch: str) -> None:
        """Put the time of the lanes, and the one that was planned for them, into the past."""
        lanes, due = f"{self.keys.branch(road.session, branch)}:lanes", f"{self.keys.root(0)}due"
        self.client.zadd(lanes, dict.fromkeys(self.client.zrange(lanes, 0, -1), 1), xx=True)
        self.client.zadd(due, {f"{road.session}/{branch}": 1}, xx=True)


@dataclass
class MemorySite:
    """The exchange in this process."""

    exchange: MemoryExchange

    def look(self, road: Road, branch: str) -> View:
        """Read the store itself."""
        store = self.exchange._store
        pool = store.pools.get(road.pool)
        read = set(pool.read) if pool else set()
        ids = [*read, *(entry.id for entry in pool.waiting)] if pool else []
        found = store.sessions[road.session].branches[branch]
        return View(
            found.mark,
            [(entry, entry in read) for entry in sorted(ids, key=place_of)],
            found.cursor,
            found.version,
            len(found.mailbox),
            found.leased,
            bool(found.paused),
            found.deferred,
        )

    def expire(self, road: Road, branch: str) -> None:
        """Put the end of the lease into the past."""
        self.exchange._store.sessions[road.session].branches[branch].lease_end = -1.0

    def ripen(self, road: Road, branch: str) -> None:
        """Put the time of the lanes into the past."""
        for lane in self.exchange._store.sessions[road.session].branches[branch].lanes.values():
            lane.due = 1
