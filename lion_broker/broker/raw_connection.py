"""Plain commands to the server that the settings name, beside what an exchange does: for those who set a server up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from redis.exceptions import RedisError

from lion_broker.config import Settings
from lion_broker.errors import ConfigError

from .connect import embedded_directory, locate, socket_url
from .connection import SyncClient, translate
from .embedded import attach
from .requests import Command

__all__ = ["RawConnection", "raw_connection"]

_SECONDS: Final = 2.0
"""What a server may take beyond the patience of the settings."""


class RawConnection:
    """Sends commands and returns replies; an error of the server is a reply, one of the connection is raised."""

    def __init__(self, url: str, patience: float) -> None:
        self.url = url
        self._seconds = patience + _SECONDS
        self._client = SyncClient(url, self._seconds)

    def ask(self, *commands: Command) -> Sequence[Any]:
        """Send commands in one round trip. Raises BrokerUnavailable, BrokerError."""
        try:
            return self._client.call(commands, self._seconds)
        except (RedisError, OSError) as error:
            raise translate(error, self.url) from error

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()


@contextmanager
def raw_connection(settings: Settings) -> Iterator[RawConnection]:
    """Open a connection to the server of the settings; the embedded one is started. Raises ConfigError for `memory://`."""
    url, scheme = locate(None, settings)
    if scheme == "memory":
        raise ConfigError("memory:// is no server. Name one with --url or LION_BROKER_URL.")
    if scheme == "embedded":
        with (
            attach(embedded_directory(url), environ=settings.environ) as lease,
            _opened(socket_url(lease.server.socket), settings) as connection,
        ):
            yield connection
        return
    with _opened(url, settings) as connection:
        yield connection


@contextmanager
def _opened(url: str, settings: Settings) -> Iterator[RawConnection]:
    connection = RawConnection(url, settings.patience)
    try:
        yield connection
    finally:
        connection.close()
