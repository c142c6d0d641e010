"""Connections to a server: one set of settings, errors mapped in one place, a sync and an async line.

redis-py's own retries are off: it would repeat a write whose answer was lost without knowing whether that is safe. Here
every command is one that may be repeated, and `RedisExchange` repeats it.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import redis
import redis.asyncio
from hiredis import pack_command
from redis import exceptions as errors
from redis.backoff import NoBackoff
from redis.retry import Retry

from lion_broker.errors import BrokerError, BrokerUnavailable, ConfigError, LionError, MailboxFull

from .requests import Command

__all__ = ["AsyncLine", "Copies", "SyncLine", "is_passing", "translate", "without_secrets"]

_CONNECT_SECONDS: Final = 5.0
_LONGEST_SECONDS: Final = 10.0
_SILENT: Final = 0.9
"""The part of its time after which a failed attempt has shown that the server is silent."""
_MOST_AT_ONCE: Final = 128
_WARM_SECONDS: Final = 1.0
"""For how long a connection is taken to be there still after it was used."""
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


class TooFewCopies(errors.ConnectionError):
    """Raised when too few replicas have confirmed a write in time; asking again waits for the same write."""


@dataclass(frozen=True, slots=True)
class Copies:
    """How many replicas must have what commands have written, and for how many ms they may take."""

    count: int
    ms: int

    @property
    def command(self) -> Command:
        """What waits for them, on the connection of the writes."""
        return ("WAIT", self.count, self.ms)

    def insist(self, reply: Any) -> None:
        """Raise TooFewCopies unless the reply to the command says that there are enough."""
        if isinstance(reply, Exception):
            raise reply
        if reply < self.count:
            raise TooFewCopies(f"{reply} of {self.count} replicas have confirmed it within {self.ms / 1000:g} s")


def _options(seconds: float) -> dict[str, Any]:
    return {
        **_OURS,
        "socket_connect_timeout": min(_CONNECT_SECONDS, seconds),
        "socket_timeout": min(_LONGEST_SECONDS, seconds),
        "health_check_interval": 0,
    }


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
    return refused or str(error).startswith(("NOAUTH", "NOPERM", "WRONGPASS"))


def translate(error: BaseException, url: str) -> LionError:
    """Return the package's error for one of redis-py or of the server; the only place that maps them."""
    shown = without_secrets(url)
    # One sentence of ours follows or ends after it, whether or not the other side wrote a full stop.
    text = str(error).rstrip().removesuffix(".")
    if _refuses_user(error):
        return BrokerError(f"The server at {shown} refused this user: {text}. Check user and password in the URL.")
    if text.startswith("MISCONF"):
        return BrokerUnavailable(
            f"The server at {shown} takes no mail, for it cannot write to its disk: {text}. What was accepted before is"
            " stored."
        )
    if isinstance(error, TooFewCopies):
        return BrokerUnavailable(
            f"What was written is on the primary at {shown} only: {text}. It may be lost with that server. Asking again"
            " is safe. Look after the replicas, or lower LION_BROKER_REPLICAS."
        )
    if is_passing(error):
        look = "Is it running, and does it speak TLS?" if url.startswith("rediss://") else "Is it running?"
        return BrokerUnavailable(
            f"No server answers at {shown}: {text or type(error).__name__}. {look} What was accepted before is stored."
        )
    if isinstance(error, errors.OutOfMemoryError) or "OOM" in text[:80]:
        return MailboxFull(f"The server at {shown} is out of memory and takes no more mail; let workers drain it.")
    if "unknown command" in text.lower() and "fcall" in text.lower():
        return BrokerError(f"The server at {shown} has no functions; Redis 7.0 or Valkey 7.2 is needed.")
    return BrokerError(f"The server at {shown} answered: {text}.")


def _pool(kind: Any, url: str, retry: Any, seconds: float) -> Any:
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


class SyncLine:
    """Commands to a server from ordinary code; safe to use from several threads.

    `seconds` is how long it may take to get a connection. One that was used a moment ago is used again without the
    pool, which asks the system about each: between calls in a row that costs more than the calls.
    """

    def __init__(self, url: str, seconds: float) -> None:
        self._pool = _pool(redis.ConnectionPool, url, Retry(NoBackoff(), 0), seconds)
        self._warm: list[_Warm] = []

    def call(self, commands: Sequence[Command], seconds: float, *, copies: Copies | None = None) -> list[Any]:
        """Send commands in one write and return their replies; server errors stand in the list.

        A server that is silent for so many seconds does not answer. Raises TooFewCopies unless so many `copies` exist.
        """
        if copies is not None:
            *replies, confirmed = self.call((*commands, copies.command), seconds)
            copies.insist(confirmed)
            return replies
        packed = _packed(commands)
        connection = self._take()
        try:
            connection.send_packed_command([packed], check_health=False)
            replies = [_reply_of(connection, seconds) for _ in commands]
        except BaseException:
            # Half-read replies must not reach the next caller.
            connection.disconnect()
            self._pool.release(connection)
            self._cool_down()
            raise
        self._warm.append(_Warm(connection, time.monotonic(), os.getpid()))
        return replies

    def close(self) -> None:
        """Close the connections."""
        self._cool_down()
        self._pool.disconnect()

    def _take(self) -> Any:
        try:
            last = self._warm.pop()
        except IndexError:
            return self._pool.get_connection()
        if time.monotonic() - last.used < _WARM_SECONDS and last.process == os.getpid():
            return last.connection
        self._pool.release(last.connection)
        self._cool_down()
        return self._pool.get_connection()

    def _cool_down(self) -> None:
        """Give the pool what it is to look at before it is used again; the others were used even earlier."""
        while self._warm:
            try:
                last = self._warm.pop()
            except IndexError:  # another thread was quicker
                return
            self._pool.release(last.connection)


def _packed(commands: Sequence[Command]) -> bytes:
    try:
        return b"".join([pack_command(command) for command in commands])  # type: ignore[arg-type]  # a union is narrower
    except UnicodeEncodeError as error:
        raise ConfigError(f"Half a character (a lone surrogate) cannot be sent to a server: {error}.") from error


def _reply_of(connection: Any, timeout: float) -> Any:
    try:
        return connection.read_response(timeout=timeout)
    except errors.ResponseError as error:
        return error


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Commands that stand in line, how long their caller waits, and what it waits for."""

    packed: bytes
    count: int
    seconds: float
    copies: Copies | None
    answered: asyncio.Future[list[Any]]

    def settle(self, replies: list[Any], confirmed: Any) -> None:
        """Tell the caller, unless it has gone; `confirmed` is how many replicas have what was written."""
        if self.answered.done():
            return
        try:
            if self.copies is not None:
                self.copies.insist(confirmed)
        except errors.RedisError as error:
            self.answered.set_exception(error)
        else:
            self.answered.set_result(replies)


class AsyncLine:
    """Commands to a server from one event loop.

    Commands that are issued while others are on their way are sent together when those have come back: concurrent
    callers share round trips, and the wait for replicas, and a single caller never waits for company. What cannot be
    written as bytes fails for its own caller only, before it shares anything. A command that the server may hold has a
    connection of its own. What nobody has closed is closed when the loop ends, for afterwards nobody could. `seconds`
    as for SyncLine.
    """

    def __init__(self, url: str, seconds: float) -> None:
        self._pool = _pool(redis.asyncio.ConnectionPool, url, redis.asyncio.retry.Retry(NoBackoff(), 0), seconds)
        self._waiting: list[_Waiting] = []
        self._shuttle: asyncio.Task[None] | None = None
        self._open: AsyncGenerator[None] | None = None

    async def call(
        self, commands: Sequence[Command], seconds: float, *, held: bool = False, copies: Copies | None = None
    ) -> list[Any]:
        """Send commands and return their replies in order; `held` says that the server may take its time.

        Raises TooFewCopies unless so many `copies` exist of what they have written.
        """
        if held and copies is not None:
            *replies, confirmed = await self.call((*commands, copies.command), seconds, held=True)
            copies.insist(confirmed)
            return replies
        packed, count = _packed(commands), len(commands)
        if self._open is None:
            self._open = self._until_the_loop_ends()
            await anext(self._open)
        if held:
            return await self._exchange(packed, count, seconds)
        answered: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(packed, count, seconds, copies, answered))
        if self._shuttle is None or self._shuttle.done():
            self._shuttle = asyncio.create_task(self._run_shuttle())
        return await answered

    async def aclose(self) -> None:
        """Close the connections, after what is on its way has come back."""
        if self._open is not None:
            opened, self._open = self._open, None
            await opened.aclose()

    async def _until_the_loop_ends(self) -> AsyncGenerator[None]:
        """Stay suspended while the line is open: before a loop ends, it closes the generators that wait in it."""
        try:
            yield
        finally:
            self._open = None
            if self._shuttle is not None:
                await asyncio.wait([self._shuttle])
                self._shuttle = None
            await self._pool.disconnect()

    async def _run_shuttle(self) -> None:
        while self._waiting:
            # Nobody waits any more for what was given up while it stood in line.
            waiting = [one for one in self._waiting if not one.answered.done()]
            group, self._waiting = waiting[:_MOST_AT_ONCE], waiting[_MOST_AT_ONCE:]
            if not group:
                return
            packed, count = b"".join([one.packed for one in group]), sum(one.count for one in group)
            copies = max((one.copies for one in group if one.copies is not None), key=lambda one: one.ms, default=None)
            if copies is not None:
                packed, count = packed + _packed((copies.command,)), count + 1
            begun, seconds = time.monotonic(), max(one.seconds for one in group)
            try:
                replies = await self._exchange(packed, count, seconds)
            except BaseException as error:
                if time.monotonic() - begun >= seconds * _SILENT:
                    # Who came meanwhile has waited for the same silent server.
                    group, self._waiting = group + self._waiting, []
                for one in group:
                    if not one.answered.done():
                        one.answered.set_exception(
                            error if isinstance(error, Exception) else ConnectionError("stopped")
                        )
                if not isinstance(error, Exception):
                    raise
                continue
            at = 0
            for one in group:
                one.settle(replies[at : at + one.count], replies[-1] if copies is not None else None)
                at += one.count

    async def _exchange(self, packed: bytes, count: int, timeout: float) -> list[Any]:
        # Around all of it: a silent server may take a new connection and then leave its first words unanswered.
        async with asyncio.timeout(timeout):
            connection: Any = await self._pool.get_connection()
            try:
                await connection.send_packed_command([packed], check_health=False)
                return [await _areply_of(connection, timeout) for _ in range(count)]
            except BaseException:
                await connection.disconnect(nowait=True)
                raise
            finally:
                await self._pool.release(connection)


async def _areply_of(connection: Any, timeout: float) -> Any:
    try:
        return await connection.read_response(timeout=timeout)
    except errors.ResponseError as error:
        return error
