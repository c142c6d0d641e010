"""An exchange on a server with a plain client beside it, for harm that comes from outside of the port."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from lion_broker.broker.exchange import RedisExchange
from lion_broker.broker.keys import Keys
from lion_broker.errors import LionError
from lion_broker.mail.exchange import Exchange
from tests.conformance.road import Road
from tests.conformance.servers import SECRET

__all__ = ["Rig"]


@dataclass
class Rig:
    """`road` is a session on `exchange`, `client` sees and harms the server directly."""

    exchange: Exchange
    client: Any
    keys: Keys
    road: Road

    def key(self, branch: str, station: str = "") -> str:
        """The key of a branch, or of one of its stations."""
        key = self.keys.branch(self.road.session, branch)
        return f"{key}:{station}" if station else key

    @property
    def ready(self) -> str:
        """The ready stream of the road's pool."""
        return self.keys.ready(self.road.pool, 0)

    @property
    def overflow(self) -> str:
        """What is behind the ready stream of the road's pool."""
        return self.keys.overflow(self.road.pool, 0)

    def add_ready(self, **fields: str) -> str:
        """Put an entry into the ready stream that no function has made."""
        added: bytes = self.client.xadd(self.ready, fields)
        return added.decode()

    @contextmanager
    def broken(self, key: str) -> Iterator[None]:
        """A key of another kind in its place, for as long as the block."""
        kept = self.client.dump(key)
        self.client.set(key, "of another kind")
        try:
            yield
        finally:
            self.client.delete(key)
            if kept is not None:
                self.client.restore(key, 0, kept)

    def another(self) -> Exchange:
        """One more exchange of the same namespace, as another program opens it."""
        assert isinstance(self.exchange, RedisExchange)
        return RedisExchange(self.exchange._full_url, SECRET, namespace=self.keys.namespace)

    @contextmanager
    def full(self) -> Iterator[None]:
        """A server without memory left; what is refused for that is an AssertionError."""
        self.client.config_set("maxmemory", 1)
        try:
            yield
        except LionError as error:
            raise AssertionError(f"refused on a full server: {error}") from error
        finally:
            self.client.config_set("maxmemory", 0)
