"""Connections to a server: one set of settings, errors mapped in one place, and the client of ordinary code.

redis-py's own retries are off: it would repeat a write whose answer was lost without knowing whether that is safe. Here
every command is one that may be repeated, and `RedisExchange` repeats it.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any, Final, NamedTuple

import redis
from redis import exceptions as errors
from redis.backoff import NoBackoff
from redis.retry import Retry

from lion_broker.errors import BrokerError, BrokerUnavailable, ConfigError, LionError, MailboxFull, ServerBusy

from .quorum import Quorum, TooFewReplicas
from .requests import Command, packed

__all__ = ["DedicatedConnection", "SyncClient", "is_passing", "make_room", "pool_of", "translate", "without_secrets"]

_CONNECT_SECONDS: Final = 5.0
_LONGEST_SECONDS: Final = 10.0
_WARM_SECONDS: Final = 1.0
"""For how long a connection is taken to be there still after it was used."""
_ROOM: Final = 1024 * 1024
"""Bytes that may be on their way to the server in a Unix socket, which has 200 kB unless somebody asks for more."""
_OURS: Final = {"protocol": 2, "decode_responses": False}
_PASSING_KINDS: Final = (
    errors.ConnectionError,
    errors.TimeoutError,
    errors.BusyLoadingError,
    errors.ReadOnlyError,
    errors.ClusterDownError,
    errors.TryAgainError,
    OSError,
)
_PASSING_REPLIES: Final = (
    "LOADING", "BUSY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "READONLY", "UNKILLABLE", "MISCONF", "NOBLOB",
)  # fmt: skip
_IN_FUNCTIONS: Final = ("ACL failure in script", "The user executing the script can't")
"""What Valkey, and what Redis says when a function uses a command that its caller may not."""


def _options(seconds: float) -> dict[str, Any]:
    return {
        **_OURS,
        "socket_connect_timeout": min(_CONNECT_SECONDS, seconds),
        "socket_timeout": min(_LONGEST_SECONDS, seconds),
        "health_check_interval": 0,
    }


def make_room(connected: Any) -> None:
    """Let a large turn be written at once while the server is at another, so that neither waits for the other.

    What does not fit a Unix socket is written when the server has read some, and the server goes on when that is done.
    TCP sockets grow by themselves, unless they are told how large to be. The system may allow less: see unix(7).
    """
    if connected is not None and connected.family == getattr(socket, "AF_UNIX", None):
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _ROOM)


def without_secrets(url: str) -> str:
    """Return a URL as it may be shown: without user and password."""
    scheme, mark, rest = url.partition("://") if "://" in url else ("", "", url)
    # The last @ first: a password that was not escaped may hold any other sign.
    place = rest.rpartition("@")[2].partition("?")[0]
    return f"{scheme}{mark}{place}"


def is_passing(error: BaseException) -> bool:
    """Whether asking again may help: the connection broke, the server is starting, a blob went before its mail came."""
    if _refuses_user(error):
        return False
    if isinstance(error, _PASSING_KINDS):
        return True
    return isinstance(error, errors.ResponseError) and str(error).startswith(_PASSING_REPLIES)


def _refuses_user(error: BaseException) -> bool:
    """Whether the server knows no such user or password, or does not allow it the command."""
    # The asyncio client says that the connection failed, and why only in the cause.
    kinds = (errors.AuthenticationError, errors.AuthorizationError, errors.NoPermissionError)
    refused = isinstance(error, kinds) or isinstance(error.__cause__, kinds)
    text = str(error)
    return refused or text.startswith(("NOAUTH", "NOPERM", "WRONGPASS")) or any(one in text for one in _IN_FUNCTIONS)


def _refusal(text: str) -> str:
    """Why a user is refused, and the next step: one who may not do something is known well, and needs other rights."""
    if "permissions" not in text.lower() and not text.startswith(_IN_FUNCTIONS):
        return f"{text}. Check user and password in the URL."
    # Where in a function it was is for nobody.
    why = text.partition(" script: on ")[0].removeprefix(f"{_IN_FUNCTIONS[0]}: ")
    return f"{why}. Use one with more rights: `lion-broker acl` prints what each role needs."


def translate(error: BaseException, url: str) -> LionError:
    """Return the package's error for one of redis-py or of the server; the only place that maps them."""
    shown = without_secrets(url)
    # One sentence of ours follows or ends after it, whether or not the other side wrote a full stop.
    text = str(error).rstrip().removesuffix(".")
    if _refuses_user(error):
        return BrokerError(f"The server at {shown} refused this user: {_refusal(text)}")
    if text.startswith("MISCONF"):
        return BrokerUnavailable(
            f"The server at {shown} takes no mail, for it cannot write to its disk: {text}. What was accepted before is"
            " stored."
        )
    if isinstance(error, TooFewReplicas):
        return BrokerUnavailable(
            f"What was written is on the primary at {shown} only: {text}. It may be lost with that server. Asking again"
            " is safe. Look after the replicas, or lower LION_BROKER_REPLICAS."
        )
    if isinstance(error, errors.BusyLoadingError) or text.startswith("LOADING "):
        return ServerBusy(
            f"The server at {shown} is still loading its data: {text}. Wait until it has. What was accepted before is"
            " stored."
        )
    if text.startswith("BUSY "):
        return ServerBusy(
            f"The server at {shown} is busy with a script of somebody: {text}. Wait until it ends, or end it: FUNCTION"
            " KILL, SCRIPT KILL."
        )
    if is_passing(error):
        look = "Is it running, and does it speak TLS?" if url.startswith("rediss://") else "Is it running?"
        silent = isinstance(error, TimeoutError)
        said = text or ("the server is silent" if silent else type(error).__name__)
        return BrokerUnavailable(f"No server answers at {shown}: {said}. {look} What was accepted before is stored.")
    if isinstance(error, errors.OutOfMemoryError) or "OOM" in text[:80]:
        return MailboxFull(f"The server at {shown} is out of memory and takes no more mail; let workers drain it.")
    if "unknown command" in text.lower() and "fcall" in text.lower():
        return BrokerError(f"The server at {shown} has no functions; Redis 7.0 or Valkey 7.2 is needed.")
    return BrokerError(f"The server at {shown} answered: {text}.")


def pool_of(kind: Any, url: str, retry: Any, seconds: float) -> Any:
    """Return a pool of redis-py for a URL, with our settings; raises ConfigError for what is none."""
    shown = without_secrets(url)
    try:
        if shown == "unix://":
            raise ValueError("no path")
        pool = kind.from_url(url, retry=retry, **_options(seconds))
        # What a URL asks for is added to our options; what the replies are read by stays ours.
        pool.connection_kwargs |= _OURS
        # An option that there is not is found here, and not by the first command.
        pool.connection_class(**pool.connection_kwargs)
        return pool
    except (TypeError, ValueError):
        # What redis-py says is left out: it may quote a part of the password.
        raise ConfigError(
            f"{shown} is no server URL: check host, port, database and options (for unix:// the path of the socket),"
            " and write signs like / ? # @ in a password as %2F %3F %23 %40."
        ) from None


class _Warm(NamedTuple):
    """A connection, when it was used last by the monotonic clock, and in which process."""

    connection: Any
    used: float
    process: int


class DedicatedConnection:
    """A connection that one caller has to himself: what is written is answered in order, and read when he likes to."""

    def __init__(self, connection: Any, give_back: Callable[[Any, bool], None]) -> None:
        self._connection = connection
        self._give_back = give_back
        self._missing = 0

    def write(self, commands: Sequence[Command]) -> None:
        """Send commands in one write; blocks while the socket is full."""
        whole = packed(commands)
        self._missing += len(commands)
        self._connection.send_packed_command([whole], check_health=False)

    def has_come(self) -> bool:
        """Whether something can be read: a reply, or that there will be none."""
        return bool(self._connection.can_read(timeout=0))

    def read(self, count: int, seconds: float) -> list[Any]:
        """Return the next replies; a server that is silent for so many seconds does not answer."""
        replies = [_reply_of(self._connection, seconds) for _ in range(count)]
        self._missing -= count
        return replies

    def close(self) -> None:
        """Give the connection back, or close it where replies are missing. Once."""
        self._give_back(self._connection, not self._missing)


class SyncClient:
    """Commands to a server from ordinary code; safe to use from several threads.

    `seconds` is how long it may take to get a connection. One that was used a moment ago is used again without the
    pool, which asks the system about each: between calls in a row that costs more than the calls.
    """

    def __init__(self, url: str, seconds: float) -> None:
        self._pool = pool_of(redis.ConnectionPool, url, Retry(NoBackoff(), 0), seconds)
        self._warm: list[_Warm] = []

    def call(
        self,
        commands: Sequence[Command],
        seconds: float,
        *,
        quorum: Quorum | None = None,
        then: Iterable[Sequence[Command]] | None = None,
    ) -> list[Any]:
        """Send commands in one write and return their replies; server errors stand in the list.

        What is to be sent `then` is made while the server works on those before, and written in a write each. A server
        that is silent for so many seconds does not answer. Raises TooFewReplicas unless a `quorum` has it.
        """
        if quorum is not None:
            *replies, confirmed = self.call(commands, seconds, then=chain(then or (), [(quorum.command,)]))
            quorum.insist(confirmed)
            return replies
        whole, count = packed(commands), len(commands)
        connection = self._take()
        try:
            connection.send_packed_command([whole], check_health=False)
            for more in then or ():
                connection.send_packed_command([packed(more)], check_health=False)
                count += len(more)
            replies = [_reply_of(connection, seconds) for _ in range(count)]
        except BaseException:
            self._give_back(connection, usable=False)
            raise
        self._warm.append(_Warm(connection, time.monotonic(), os.getpid()))
        return replies

    def dedicated(self) -> DedicatedConnection:
        """Take a connection out for one caller, who gives it back by closing it."""
        return DedicatedConnection(self._take(), self._give_back)

    def close(self) -> None:
        """Close the connections."""
        self._cool_down()
        self._pool.disconnect()

    def _give_back(self, connection: Any, usable: bool) -> None:
        if usable:
            self._warm.append(_Warm(connection, time.monotonic(), os.getpid()))
            return
        # Half-read replies must not reach the next caller.
        connection.disconnect()
        self._pool.release(connection)
        self._cool_down()

    def _take(self) -> Any:
        try:
            last = self._warm.pop()
        except IndexError:
            return self._from_pool()
        if time.monotonic() - last.used < _WARM_SECONDS and last.process == os.getpid():
            return last.connection
        self._pool.release(last.connection)
        self._cool_down()
        return self._from_pool()

    def _from_pool(self) -> Any:
        connection = self._pool.get_connection()
        make_room(connection._sock)  # it has no public name
        return connection

    def _cool_down(self) -> None:
        """Give the pool what it is to look at before it is used again; the others were used even earlier."""
        while self._warm:
            try:
                last = self._warm.pop()
            except IndexError:  # another thread was quicker
                return
            self._pool.release(last.connection)


def _reply_of(connection: Any, timeout: float) -> Any:
    try:
        return connection.read_response(timeout=timeout)
    except errors.ResponseError as error:
        return error
