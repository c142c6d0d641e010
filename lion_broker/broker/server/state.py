"""What can be known about an embedded server: its processes, its record, its locks, and how it answers.

The keeper is a process of its own that must be small and quick, so this module imports the standard library
only.
"""

import contextlib
import fcntl
import json
import os
import socket
from enum import StrEnum
from typing import NamedTuple

__all__ = [
    "OWNERSHIP_LOCK",
    "RECORD",
    "START_LOCK",
    "USERS_LOCK",
    "Answer",
    "Description",
    "ProcessId",
    "Record",
    "ask",
    "describe",
    "look",
    "own",
    "read_record",
    "release",
    "try_lock",
    "write_record",
]

RECORD, OWNERSHIP_LOCK, USERS_LOCK, START_LOCK = "server.json", "server.lock", "users.lock", "start.lock"


class ProcessId(NamedTuple):
    """One process, told apart from a later one with the same number by the time at which it started."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> "ProcessId | None":
        """Return the identity of a living process, None for a missing one or a zombie."""
        started = _proc_started(pid) if os.path.isdir("/proc/self") else _ps_started(pid)
        return cls(pid, started) if started else None

    @property
    def alive(self) -> bool:
        """True while this very process runs."""
        return ProcessId.of(self.pid) == self


class Record(NamedTuple):
    """What `server.json` says about the running server; `linger` in seconds, None for ever."""

    host: str
    socket: str
    pid: int
    started: str
    keeper_pid: int
    keeper_started: str
    binary: str
    version: str
    linger: float | None

    @property
    def server(self) -> ProcessId:
        """The server's process."""
        return ProcessId(self.pid, self.started)

    @property
    def keeper(self) -> ProcessId:
        """The process that owns the server."""
        return ProcessId(self.keeper_pid, self.keeper_started)


class Description(NamedTuple):
    """What a running server says about itself; `version` for example `Valkey 9.1.2`."""

    pid: int
    binary: str
    version: str


class Answer(StrEnum):
    """How a server on a socket answers."""

    READY = "ready"
    LOADING = "loading"
    SILENT = "silent"
    ABSENT = "absent"


def try_lock(path: str, *, shared: bool = False) -> int | None:
    """Lock a file (made if missing) or directory without waiting; return the descriptor that holds it."""
    flags = os.O_RDONLY if os.path.isdir(path) else os.O_RDWR | os.O_CREAT
    descriptor = os.open(path, flags | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def release(descriptor: int) -> None:
    """Unlock, also for a copy that a process forked by another thread holds meanwhile, and close."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


def own(directory: str) -> list[int]:
    """Take the ownership of a data directory; return what holds it, nothing when it has an owner."""
    held: list[int] = []
    with contextlib.ExitStack() as undo:
        for path in (directory, os.path.join(directory, OWNERSHIP_LOCK)):
            descriptor = try_lock(path)
            if descriptor is None:
                return []
            undo.callback(release, descriptor)
            held.append(descriptor)
        undo.pop_all()
    return held


def ask(path: str, *words: str, timeout: float = 1.0) -> str:
    """Send one command to the server on a unix socket and return its first reply as text; raises OSError."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout)
        connection.connect(path)
        bulks = (b"$%d\r\n%s\r\n" % (len(word), word) for word in map(str.encode, words))
        connection.sendall(b"*%d\r\n%s" % (len(words), b"".join(bulks)))
        with connection.makefile("rb") as replies:
            first = replies.readline()
            body = replies.read(int(first[1:])) if first.startswith(b"$") else first
            return body.decode(errors="replace").strip()


def look(path: str, timeout: float = 1.0) -> Answer:
    """Say how the server on a socket answers to a PING."""
    try:
        reply = ask(path, "PING", timeout=timeout)
    except (FileNotFoundError, ConnectionRefusedError):
        return Answer.ABSENT
    except OSError:
        return Answer.SILENT
    if reply.startswith("-LOADING"):
        return Answer.LOADING
    return Answer.READY if reply == "+PONG" else Answer.SILENT


def describe(path: str) -> Description:
    """Ask the server on a socket what it is; raises OSError."""
    lines = ask(path, "INFO", "server").splitlines()
    said = dict(line.split(":", 1) for line in lines if ":" in line)
    # Valkey calls itself Redis 7.2.4 as well, for the sake of old clients.
    name = "Valkey" if "valkey_version" in said else "Redis"
    version = f"{name} {said.get(f'{name.lower()}_version', '')}"
    return Description(int(said.get("process_id", 0)), said.get("executable", ""), version)


def read_record(directory: str) -> Record | None:
    """Return the record of a data directory, None when there is none that can be read."""
    try:
        with open(os.path.join(directory, RECORD), encoding="utf-8") as file:
            return Record(**json.load(file))
    except (OSError, ValueError, TypeError):
        return None


def write_record(directory: str, record: Record) -> None:
    """Replace the record of a data directory in one step; raises OSError."""
    path = os.path.join(directory, RECORD)
    draft = f"{path}.{os.getpid()}"
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
            file.write(json.dumps(record._asdict(), indent=2) + "\n")
        os.replace(draft, path)
    except OSError:
        os.unlink(draft)
        raise


def _proc_started(pid: int) -> str | None:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            # The name, in parentheses, may hold anything; after it follow the state and, 19 on, the start.
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


def _ps_started(pid: int) -> str | None:
    import subprocess  # only where there is no /proc, for it would double the keeper's start

    command = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
    plain = {"LC_ALL": "C", "PATH": os.defpath}
    said = subprocess.run(command, capture_output=True, text=True, env=plain, check=False)  # noqa: S603
    state, _, started = said.stdout.strip().partition(" ")
    return None if not state or state.startswith("Z") else started.strip()
