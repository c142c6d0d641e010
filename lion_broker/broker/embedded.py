"""The embedded server: found or started, shared by all processes of a user, gone after its last user.

    attach ─► become a user ─► running? ─► start, as the one starter ─► EmbeddedLease

One server per data directory. The order of the first two steps is what makes it safe: a keeper that finds no
user stops its server for good, so whoever has become a user can trust a server that answers.
`server/keeper.py` has the other side.
"""

import contextlib
import math
import os
import signal
import threading
import time
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from socket import gethostname
from types import TracebackType
from typing import Final, Self

from lion_broker.broker.server.binary import find_server_binary
from lion_broker.broker.server.directory import (
    data_directory,
    private_directory,
    runtime_directory,
    socket_path,
)
from lion_broker.broker.server.start import start
from lion_broker.broker.server.state import (
    START_LOCK,
    USERS_LOCK,
    Answer,
    ProcessId,
    Record,
    ask,
    describe,
    look,
    own,
    read_record,
    release,
    try_lock,
    write_record,
)
from lion_broker.errors import ConfigError, ServerStartFailed

__all__ = [
    "LINGER_SECONDS",
    "EmbeddedLease",
    "EmbeddedServer",
    "attach",
    "data_directory",
    "find_server_binary",
    "runtime_directory",
    "stop",
]

LINGER_SECONDS = 3.0
"""How long a server without users stays, so that programs started one after the other share one."""

_LEAST_SECONDS: Final = 0.5
"""A server that is started at all has so long to answer, however little is left of its starter's patience."""

PAUSE_SECONDS = 0.01
"""Between two looks at a server that another process starts or stops: flock cannot wait with a limit."""


@dataclass(frozen=True)
class EmbeddedServer:
    """A running server: private unix socket, data on disk within a second, no TCP port.

    `version` for example `Valkey 9.1.2`. The keeper starts a crashed server again on the same socket, then
    with another `pid`, as long as it has users.
    """

    socket: Path
    pid: int
    directory: Path
    binary: Path
    version: str


class EmbeddedLease:
    """One use of an embedded server: it stays up until all leases on it are closed, or their processes gone.

    A process that is forked from the holder (`multiprocessing` with `fork`) holds the lease too, until it
    ends; programs started by the holder do not.
    """

    def __init__(self, server: EmbeddedServer, user: int) -> None:
        """Hold the descriptor `user` with the shared lock; `attach` makes leases."""
        self.server = server
        # Closing, not unlocking: an unlock would also end the use of a forked process.
        self._leave = weakref.finalize(self, os.close, user)

    @property
    def closed(self) -> bool:
        """True once this lease no longer keeps the server up."""
        return not self._leave.alive

    def close(self) -> None:
        """Give up the use of the server; may be called twice."""
        self._leave()

    def __enter__(self) -> Self:
        """Return the lease."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the lease."""
        self.close()

    def __repr__(self) -> str:
        """Say which server, and whether the lease holds it."""
        state = "closed" if self.closed else f"pid {self.server.pid}"
        return f"<EmbeddedLease {self.server.version} in {self.server.directory}, {state}>"


def attach(
    directory: Path | None = None,
    *,
    environ: Mapping[str, str],
    linger: float | None = None,
    start_timeout: float = 10.0,
) -> EmbeddedLease:
    """Use the server of a data directory, starting it if there is none; it answers when this returns.

    `directory` defaults to the user's own (`data_directory`). `linger`: seconds that the server stays without
    users, negative or infinite for ever; left out, `LION_BROKER_LINGER`, else 3; of several users' wishes the
    longest counts. `start_timeout` is in seconds. Blocks; safe to call from any number of processes and
    threads at once. Raises ConfigError, ServerNotFound or ServerStartFailed, each with what to do.
    """
    wish = environ.get("LION_BROKER_LINGER") if linger is None else linger
    stay = _linger_seconds(LINGER_SECONDS if wish is None else wish)
    place = private_directory((directory or data_directory(environ)).expanduser().resolve())
    attempt = _Attempt(place, socket_path(place, environ), time.monotonic() + start_timeout)
    try:
        user = attempt.become_user()
        try:
            server = attempt.find_or_start(environ, stay)
            if wish is not None:
                attempt.stay_longer(stay)
        except BaseException:
            os.close(user)
            raise
    except OSError as error:
        raise ServerStartFailed(f"The embedded server in {place} cannot be used: {error}.") from error
    return EmbeddedLease(server, user)


def stop(directory: Path, *, environ: Mapping[str, str], timeout: float = 10.0) -> bool:
    """Stop the server of a data directory now, whoever uses it, its data on disk; True if there was one.

    Returns when its processes are gone. Raises ServerStartFailed when they are not within `timeout` seconds.
    """
    place = directory.expanduser().resolve()
    if not place.is_dir():
        return False
    attempt = _Attempt(place, socket_path(place, environ), time.monotonic() + timeout)
    while True:
        with attempt.sole_starter() as sole:
            if sole:
                return attempt.stop()
        attempt.pause()


def _linger_seconds(wish: float | str) -> float | None:
    """Return seconds, None for ever."""
    try:
        seconds = math.inf if wish == "forever" else float(wish)
    except ValueError:
        seconds = math.nan
    if math.isnan(seconds):
        raise ConfigError(f"LION_BROKER_LINGER={wish} is no time: give seconds, or forever.")
    return None if seconds < 0 or seconds > threading.TIMEOUT_MAX else seconds


@dataclass(frozen=True)
class _Attempt:
    """One attempt to reach, start or stop a directory's server, until a deadline of the monotonic clock."""

    directory: Path
    socket: Path
    deadline: float

    def become_user(self) -> int:
        """Return what holds the users' shared lock, waiting for the end of a server that is stopping."""
        while (user := try_lock(str(self.directory / USERS_LOCK), shared=True)) is None:
            self.pause()
        # The keeper sees by the file's time that somebody came, also if they are gone again when it looks.
        os.utime(user)
        return user

    def find_or_start(self, environ: Mapping[str, str], linger: float | None) -> EmbeddedServer:
        """Return the server that runs, or else start it, one process at a time."""
        while True:
            if server := self.running():
                return server
            with self.sole_starter() as sole:
                if sole and (server := self.running() or self.bring_up(environ, linger)):
                    return server
            self.pause()

    def running(self) -> EmbeddedServer | None:
        """Return the recorded server if it answers and its keeper watches over it."""
        record = read_record(str(self.directory))
        if record is None or (_is_here(record) and not record.keeper.alive):
            return None
        return self._server(record) if self.look(record.socket) is Answer.READY else None

    def bring_up(self, environ: Mapping[str, str], linger: float | None) -> EmbeddedServer | None:
        """Start the server if its directory is free, else find it without a record or end a useless one."""
        private_directory(self.socket.parent)
        if self.is_free():
            patience = max(_LEAST_SECONDS, self.deadline - time.monotonic())
            record = start(self.directory, self.socket, environ, linger, patience)
            return self._server(record) if record else None
        record = read_record(str(self.directory))
        if record is None:
            return self.unrecorded()
        absent = self.look(record.socket) is Answer.ABSENT
        if _is_here(record) and (absent or not record.keeper.alive):
            # It writes its data, then the directory becomes free.
            _terminate(record.server)
        return None

    def unrecorded(self) -> EmbeddedServer | None:
        """Return the server whose record was deleted; it can only be at this directory's own socket."""
        if self.look(str(self.socket)) is not Answer.READY:
            return None
        said = describe(str(self.socket))
        return EmbeddedServer(self.socket, said.pid, self.directory, Path(said.binary), said.version)

    def stay_longer(self, linger: float | None) -> None:
        """Raise the time that the server lingers to this user's wish."""
        record = read_record(str(self.directory))
        if record and record.linger is not None and (linger is None or linger > record.linger):
            write_record(str(self.directory), record._replace(linger=linger))

    def stop(self) -> bool:
        """End keeper and server, as the only starter; True if there were any."""
        if self.is_free():
            return False
        record = read_record(str(self.directory))
        if record is None:
            with contextlib.suppress(OSError):
                ask(str(self.socket), "SHUTDOWN")
        elif _is_here(record):
            _terminate(record.keeper if record.keeper.alive else record.server)
        while not self.is_free():
            self.pause()
        return True

    @contextlib.contextmanager
    def sole_starter(self) -> Iterator[bool]:
        """Be the only one who starts or stops this server; yields False, without waiting, when another is."""
        lock = try_lock(str(self.directory / START_LOCK))
        try:
            yield lock is not None
        finally:
            if lock is not None:
                release(lock)

    def is_free(self) -> bool:
        """True when neither a keeper nor a server has the directory."""
        ownership = own(str(self.directory))
        for lock in ownership:
            release(lock)
        return bool(ownership)

    def look(self, path: str) -> Answer:
        """Say how a server answers, without waiting much past the deadline for one that does not."""
        return look(path, min(1.0, max(0.1, self.deadline - time.monotonic())))

    def pause(self) -> None:
        """Wait a moment; raises ServerStartFailed, with what stands in the way, after the deadline."""
        if time.monotonic() > self.deadline:
            raise ServerStartFailed(self._obstacle())
        time.sleep(PAUSE_SECONDS)

    def _obstacle(self) -> str:
        record = read_record(str(self.directory))
        where = f"The embedded server in {self.directory}"
        if self.is_free():
            return f"{where} was not reached in time: another process is starting or stopping it. Try again."
        if record is None or not _is_here(record):
            host = f"on {record.host}" if record else "that has left no record"
            return (
                f"{self.directory} is in use by a server {host}, out of reach from here: another machine or "
                "container? Set LION_BROKER_DATA_DIR to another directory, or LION_BROKER_URL to a "
                "server for all of them."
            )
        answer = self.look(record.socket)
        if answer is Answer.LOADING:
            return f"{where} is still loading its data. Try again, or give a longer start_timeout."
        return f"{where} (process {record.pid}, {record.socket}) is {answer}. End it: kill -9 {record.pid}"

    def _server(self, record: Record) -> EmbeddedServer:
        return EmbeddedServer(Path(record.socket), record.pid, self.directory, Path(record.binary), record.version)


def _is_here(record: Record) -> bool:
    """True when the numbers of processes in the record are of this machine."""
    return record.host == gethostname()


def _terminate(process: ProcessId) -> None:
    """Send SIGTERM to this very process, unless it is gone."""
    if process.alive:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGTERM)
