"""Every key of a namespace; the only place in Python that builds one.

The server-side functions derive the same names from the session key (`lua/shared.lua`), so that a call carries one key.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from zlib import crc32

__all__ = ["Keys"]


@dataclass(frozen=True, slots=True)
class Keys:
    """The key names of one namespace: `{namespace:partition}` is the hash tag of every key of a session."""

    namespace: str
    partitions: int = 1

    def partition(self, session: str) -> int:
        """The partition in which a session lives: crc32 of its id modulo the number of partitions."""
        return crc32(session.encode()) % self.partitions

    def root(self, partition: int) -> str:
        """What every key of a partition begins with."""
        return f"lion:{{{self.namespace}:{partition}}}:"

    def meta(self, partition: int = 0) -> str:
        """Hash: protocol version, number of partitions, ids of the keys that sign."""
        return f"{self.root(partition)}meta"

    def sessions(self, partition: int) -> str:
        """Sorted set: session ids by time of creation in ms."""
        return f"{self.root(partition)}sessions"

    def ready(self, pool: str, partition: int) -> str:
        """Stream with group `workers`: an entry for each branch of the pool that has work, some with its first mail."""
        return f"{self.root(partition)}ready:{pool}"

    def overflow(self, pool: str, partition: int) -> str:
        """Stream with group `workers`: an entry for each branch that is ready and lets those of other sessions pass."""
        return f"{self.root(partition)}overflow:{pool}"

    def due(self, partition: int) -> str:
        """Sorted set: `<session>/<branch>` by the time in ms at which the branch has something due."""
        return f"{self.root(partition)}due"

    def pools(self, partition: int) -> str:
        """Hash: the pools that there are, and in partition 0 how many workers each is to have."""
        return f"{self.root(partition)}pools"

    def paused(self, partition: int) -> str:
        """Hash: how many branches of a pool are paused, and why those that are made for it are."""
        return f"{self.root(partition)}paused"

    def workers(self) -> str:
        """Hash with expiry: reports of workers, when each was heard, and orders for it; beside it `heartbeats`."""
        return f"{self.root(0)}workers"

    def reply(self, session: str, client: str) -> str:
        """Stream with expiry: answers to a client's commands."""
        return f"{self.root(self.partition(session))}reply:{client}"

    def limit(self, budget: str) -> str:
        """Hash with expiry: what is left of a budget of requests and tokens."""
        return f"{self.root(0)}limit:{budget}"

    def limits(self) -> str:
        """Sorted set with expiry: names of budgets by the ms at which they were used last."""
        return f"{self.root(0)}limits"

    def audit(self) -> str:
        """Stream, capped: what people have done to the namespace."""
        return f"{self.root(0)}audit"

    def session(self, session: str) -> str:
        """Hash: the session's own fields and counters."""
        return _session_key(self.namespace, self.partitions, session)

    def dead(self, session: str) -> str:
        """Stream: dead letters."""
        return f"{self.session(session)}:dead"

    def events(self, session: str) -> str:
        """Stream, capped: the live tail."""
        return f"{self.session(session)}:events"

    def blob(self, session: str, digest: str) -> str:
        """String: a body, by its SHA-256 in hex."""
        return f"{self.session(session)}:blob:{digest}"

    def branch(self, session: str, branch: str) -> str:
        """Hash: where a branch stands."""
        return f"{self.session(session)}:b:{branch}"

    def mailbox(self, session: str, branch: str) -> str:
        """Stream: mail and commands to be handled now, in order."""
        return f"{self.branch(session, branch)}:mailbox"

    def inbox(self, session: str, branch: str) -> str:
        """Stream: delivered, not yet received."""
        return f"{self.branch(session, branch)}:inbox"

    def cancelled(self, session: str, branch: str) -> str:
        """Set with expiry: commands that nobody waits for."""
        return f"{self.branch(session, branch)}:cancelled"

    def log(self, session: str, branch: str) -> str:
        """Stream with ids `<version>-<place of its last record>`: what happened to the branch."""
        return f"{self.branch(session, branch)}:log"


# Every command names one, and most come from few sessions.
@lru_cache(maxsize=512)
def _session_key(namespace: str, partitions: int, session: str) -> str:
    keys = Keys(namespace, partitions)
    return f"{keys.root(keys.partition(session))}s:{session}"
