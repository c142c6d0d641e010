"""The exchange inside one process: the protocol without a server, to be read before the one on Redis."""

from .exchange import MemoryExchange

__all__ = ["MemoryExchange"]
