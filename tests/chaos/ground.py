"""Where chaos happens: a mortal server, the proxy before it, a namespace, and programs that know only the proxy."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from lion_broker import BrokerUnavailable, Session
from lion_broker.broker.exchange import RedisExchange
from lion_broker.config import PREFIX
from lion_broker.mail.records import BranchRecord
from lion_broker.mail.verbs import ReadBranches
from lion_broker.testing import wait_until
from tests.stage import Program

from .mortal import MortalServer
from .proxy import Proxy

__all__ = ["Ground", "ground"]

_WAITING = re.compile(r":(mailbox|outbox|transit|inbox|steps|delayed|lanes|tries|lane:.*|due|ready:.*|overflow:.*)$")
"""Keys that hold work which is not done."""
_MARKS = ("q", "token", "lease", "owner")
"""Fields of a branch on workers that somebody owns, or that waits for an owner."""


@dataclass
class Ground:
    """A namespace on the server. Programs and `exchange` go through the proxy, `straight` does not."""

    server: MortalServer
    proxy: Proxy
    lease: float = 0.5
    patience: float = 5.0
    secret: str = field(default_factory=lambda: secrets.token_hex(16))
    namespace: str = field(default_factory=lambda: f"chaos-{uuid4().hex[:12]}")
    programs: list[Program] = field(default_factory=list)
    exchanges: list[RedisExchange] = field(default_factory=list)

    @property
    def environ(self) -> dict[str, str]:
        """What a program needs to find the proxy, in this namespace."""
        return {
            f"{PREFIX}URL": self.proxy.url,
            f"{PREFIX}NAMESPACE": self.namespace,
            f"{PREFIX}SECRET": self.secret,
            f"{PREFIX}LEASE": str(self.lease),
            f"{PREFIX}PATIENCE": str(self.patience),
        }

    def exchange(self, url: str | None = None, patience: float | None = None) -> RedisExchange:
        """One more exchange on the namespace, through the proxy unless a URL says otherwise."""
        made = RedisExchange(
            url or self.proxy.url,
            self.secret.encode(),
            namespace=self.namespace,
            patience=self.patience if patience is None else patience,
        )
        self.exchanges.append(made)
        return made

    def straight(self) -> RedisExchange:
        """An exchange that no fault of a connection meets, and that waits long for a server."""
        return self.exchange(self.server.url, patience=60)

    def start(self, *words: str, **environ: str) -> Program:
        """Start a program; it ends with the ground at the latest."""
        program = Program(words, {**self.environ, **environ})
        self.programs.append(program)
        return program

    def worker(self, app: str, pool: str, *options: str, module: str = "lion_broker", **environ: str) -> Program:
        """Start a worker, which ends with its standard input at the latest."""
        words = ("-m", module, "worker", "--app", app, "--pool", pool, "--json", "--until-eof", *options)
        return self.start(*words, **environ)

    def flush(self, session: Session) -> None:
        """Store what a session has kept, and ask again where its patience is over before a busy machine has done it."""

        def flushed() -> bool:
            with suppress(BrokerUnavailable):
                session.flush()
                return True
            return False

        wait_until(flushed)

    def wait_idle(self, session: Session) -> None:
        """Wait until all that a session has sent is done, with more patience than it may have itself."""
        self.flush(session)
        with Session.open(session.id, exchange=self.straight()) as patient:
            patient.wait_idle()

    def records(self, exchange: RedisExchange, session: str) -> tuple[BranchRecord, ...]:
        """Where the branches of a session stand."""
        return exchange.call(ReadBranches(session))

    def left_open(self, session: str) -> list[str]:
        """What of a session is not done: keys with work in them, marks and owners of branches on workers."""
        found: list[str] = []
        client = self.server.client
        tag = f"lion:{{{self.namespace}:0}}:"
        for raw in client.scan_iter(match=f"{tag}*", count=1000):
            key = raw.decode()
            if _WAITING.search(key) and (session in key or ":s:" not in key):
                size = _size(client, key)
                found += [f"{key.removeprefix(tag)} holds {size}"] if size else []
        key = f"{tag}s:{session}"
        for branch in client.zrange(f"{key}:branches", 0, -1):
            name = f"{key}:b:{branch.decode()}"
            if client.hget(name, "pool"):
                found += [f"{branch.decode()} has {mark}" for mark in _MARKS if client.hexists(name, mark)]
        return found

    def wait_closed(self, session: str) -> None:
        """Wait until nothing of a session is left open; AssertionError with what still is."""
        wait_until(lambda: not self.left_open(session) or None, 60, "work is left open")

    def close(self) -> None:
        """End programs and connections."""
        for program in self.programs:
            program.end()
        for exchange in self.exchanges:
            exchange.close()


def _size(client: Any, key: str) -> int:
    kind = client.type(key).decode()
    measure = {"stream": client.xlen, "hash": client.hlen, "zset": client.zcard, "set": client.scard}
    return int(measure[kind](key)) if kind in measure else 0


@contextmanager
def ground(server: MortalServer, **options: Any) -> Iterator[Ground]:
    """A new namespace on a server behind a proxy of its own, for the length of a block."""
    with Proxy(server.port) as proxy:
        made = Ground(server, proxy, **options)
        try:
            yield made
        finally:
            proxy.heal()
            made.close()
