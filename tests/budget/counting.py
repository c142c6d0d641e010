"""Counts what a server is asked to do, also inside of functions, and what comes over the wire: no clock is read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["Count", "Counter"]

_OUTSIDE: Final = frozenset({"fcall", "info", "config|resetstat"})
"""What a client sends; all else that is counted was asked for inside of a function."""


@dataclass
class Count:
    """The commands of a block by their names, the bytes read from and sent to all clients, and new connections."""

    commands: dict[str, int] = field(default_factory=dict)
    bytes_read: int = 0
    bytes_sent: int = 0
    connections: int = 0

    @property
    def own(self) -> int:
        """Commands that the counting itself has sent."""
        return self["info"] + self["config|resetstat"]

    def __getitem__(self, name: str) -> int:
        return self.commands.get(name, 0)

    @property
    def trips(self) -> int:
        """Commands that clients have sent, beside the counting itself."""
        return self["fcall"] + sum(self[name] for name in ("xreadgroup", "get", "ping"))

    @property
    def inner(self) -> int:
        """Commands inside of functions."""
        return sum(calls for name, calls in self.commands.items() if name not in _OUTSIDE)


@dataclass(frozen=True)
class Counter:
    """Counts on the server of a plain client."""

    client: Any

    @contextmanager
    def counting(self) -> Iterator[Count]:
        """Count until the end of the block; the count has its values afterwards."""
        count = Count()
        self.client.config_resetstat()
        yield count
        stats = self.client.info("stats")
        count.bytes_read, count.bytes_sent = stats["total_net_input_bytes"], stats["total_net_output_bytes"]
        count.connections = stats["total_connections_received"]
        found = self.client.info("commandstats")
        count.commands = {name.removeprefix("cmdstat_"): row["calls"] for name, row in found.items()}
