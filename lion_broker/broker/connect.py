"""From a URL to an exchange."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import quote

from lion_broker.config import Settings
from lion_broker.errors import ConfigError
from lion_broker.mail.exchange import Exchange
from lion_broker.telemetry import logger

from .checkup.environment import file_findings, url_findings
from .checkup.profile import SURVIVES, Profile
from .connection import without_secrets
from .embedded import EmbeddedLease, attach
from .exchange import RedisExchange
from .outage import outage_of

__all__ = [
    "SCHEMES",
    "EmbeddedExchange",
    "connect",
    "data_secret",
    "embedded_directory",
    "locate",
    "remote_secrets",
    "socket_url",
]

SCHEMES: Final = ("embedded", "memory", "redis", "rediss", "unix")
_LATER: Final = ("redis+sentinel", "redis+cluster")

log = logger("broker")


class EmbeddedExchange(RedisExchange):
    """Redis streams on the server that the package starts and shares between this user's processes.

    Starts or finds the server when it is made, and starts it again when it has died. Mail is signed with a key made
    once in the data directory.
    """

    def __init__(self, settings: Settings, directory: Path | None = None) -> None:
        self._attach: Callable[[], EmbeddedLease] = lambda: attach(directory, environ=settings.environ)
        self._lease = self._attach()
        server = self._lease.server
        super().__init__(
            socket_url(server.socket),
            data_secret(server.directory),
            namespace=settings.namespace,
            partitions=settings.partitions,
            # What the server is started with.
            assumed=Profile.DEV,
            unsafe=settings.unsafe_server,
            patience=settings.patience,
        )
        self.url = self._inspection.url = f"embedded://{server.directory}"
        self._outage = outage_of(self.url)

    def _key_advice(self) -> str:
        directory = self._lease.server.directory
        return (
            f"The file {directory / 'secret'} was deleted or changed: put the one with that key back, or use another"
            " namespace or another data directory (LION_BROKER_DATA_DIR)."
        )

    def revive(self) -> None:
        """Start the server again when it has died; what its log on disk holds is there again."""
        before, self._lease = self._lease, self._attach()
        # Let go afterwards: a server without a user in between would stop.
        before.close()

    def close(self) -> None:
        """Close the connections and let go of the server, which stops when nobody uses it."""
        super().close()
        self._lease.close()


def connect(url: str | None = None, settings: Settings | None = None) -> Exchange:
    """Return the exchange at `url`, else at `LION_BROKER_URL`, else on the embedded server.

    `redis://`, `rediss://`, `unix://` name a server and need `LION_BROKER_SECRET`; `embedded://[dir]` is the server
    that the package starts; `memory://` keeps mail in this process only. Raises ConfigError for any other URL.
    """
    settings = settings or Settings.load()
    url, scheme = locate(url, settings)
    if scheme == "memory":
        # Nobody else needs it.
        from lion_broker.mail.memory import MemoryExchange

        exchange = MemoryExchange()
        log.info("exchange %s, profile %s (%s)", exchange.url, exchange.profile, SURVIVES[Profile.MEMORY])
        return exchange
    if scheme == "embedded":
        return EmbeddedExchange(settings, embedded_directory(url))
    return _remote(url, settings)


def locate(url: str | None, settings: Settings) -> tuple[str, str]:
    """Return the URL that counts, and its scheme; raises ConfigError for one that there is not."""
    if url is not None and not isinstance(url, str):
        raise ConfigError(f"An exchange is an Exchange or a URL as text, not a {type(url).__name__}.")
    url = url or settings.url or "embedded://"
    scheme, mark, _ = url.partition("://")
    if not mark or scheme not in SCHEMES:
        later = " It is planned for a later version." if scheme in _LATER else ""
        raise ConfigError(
            f"{without_secrets(url)!r} is no exchange URL.{later} Use one of"
            f" {', '.join(f'{name}://' for name in SCHEMES)}."
        )
    if settings.replicas and scheme in ("embedded", "memory"):
        raise ConfigError(
            f"LION_BROKER_REPLICAS={settings.replicas} cannot be kept at {scheme}://: it has no replicas."
        )
    return url, scheme


def embedded_directory(url: str) -> Path | None:
    """Return the directory that a URL of an embedded server names, None for the user's own."""
    place = url.partition("://")[2]
    return Path(place).expanduser() if place else None


def remote_secrets(url: str, settings: Settings) -> tuple[bytes, ...]:
    """Return the secrets for a server of one's own; none only with LION_BROKER_INSECURE, else ConfigError."""
    if settings.secret is None and settings.secret_previous is not None:
        raise ConfigError(
            "LION_BROKER_SECRET_PREVIOUS is set and LION_BROKER_SECRET is not: the first says what is accepted beside"
            " the second, which signs."
        )
    if settings.secret is None and not settings.insecure:
        raise ConfigError(
            f"Mail on {without_secrets(url)} must be signed: set LION_BROKER_SECRET (or LION_BROKER_SECRET_FILE) to the"
            " same value for all programs; `lion-broker keygen` makes one. LION_BROKER_INSECURE=1 leaves mail unsigned."
        )
    return settings.secrets


def _remote(url: str, settings: Settings) -> RedisExchange:
    keys = remote_secrets(url, settings)
    shown = without_secrets(url)
    if not keys:
        log.warning("mail on %s is NOT signed (LION_BROKER_INSECURE): whoever reaches the server can forge it", shown)
    for finding in (*url_findings(url), *file_findings(settings.secret_files)):
        if finding.severity.is_bad:
            log.warning("exchange %s: %s", shown, finding)
    return RedisExchange(
        url,
        keys[0] if keys else None,
        previous=keys[1:],
        begins_signing=settings.insecure,
        namespace=settings.namespace,
        partitions=settings.partitions,
        unsafe=settings.unsafe_server,
        replicas=settings.replicas,
        patience=settings.patience,
    )


def socket_url(socket: Path) -> str:
    """Return the URL of a server on a socket."""
    # A ? or # would end the path of a URL, and % begin an escape.
    return f"unix://{quote(str(socket))}"


def data_secret(directory: Path) -> bytes:
    """Return the signing secret of a data directory, made once with mode 0600."""
    path = directory / "secret"
    draft = directory / f"secret.{os.getpid()}.{secrets.token_hex(4)}"
    if not path.exists():
        try:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(32))
            # Of several processes that get here at once, the first link wins and all read the same key.
            os.link(draft, path)
        except FileExistsError:
            pass
        except OSError as error:
            raise ConfigError(f"The signing key {path} cannot be written: {error}.") from error
        finally:
            draft.unlink(missing_ok=True)
    try:
        return path.read_text(encoding="utf-8").strip().encode()
    except OSError as error:
        raise ConfigError(f"The signing key {path} cannot be read: {error}.") from error
