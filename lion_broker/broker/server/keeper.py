"""The keeper: a small process that owns the embedded server from its start to its last user.

    attach ── starts ──► keeper ── starts, reaps, starts again ──► server
                           │
                           └─ waits for the lock that every user shares

The server cannot watch its users itself, and no user may be its parent, for each of them can be killed. The
keeper is started without this package's imports (see `COMMAND`) and uses the standard library only: it is up
in 20 ms and stays at 11 MB.

Three locks, all of the kernel's flock, which lets go however a process ends:

- *ownership* (`server.lock` and the data directory itself): exclusive, held by keeper and server together by
  inherited descriptors, so it is free only when both are gone. The file is what other machines see over NFS;
  the directory, unlike a file in it, cannot be deleted without the data.
- `users.lock`: shared by every user; the keeper has it exclusively only when nobody is left.
- `start.lock`: for the one process that is starting or stopping the server (see `embedded.py`).
"""

import contextlib
import fcntl
import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

# Relative, because a keeper finds its modules as `server.*` (see COMMAND).
from .state import (
    RECORD,
    USERS_LOCK,
    Answer,
    ProcessId,
    Record,
    describe,
    look,
    own,
    read_record,
    try_lock,
    write_record,
)

__all__ = ["COMMAND", "DirectoryTaken", "Keeper", "Plan", "StartFailed", "main", "settings", "spawn"]

COMMAND = "import sys; sys.path.append(sys.argv[1]); from server.keeper import main; main(sys.argv[2])"
"""The program of a keeper, for `python -I -S -c`; arguments: the directory of `server`, and the plan."""

STOP_SECONDS = 2.0
"""How long a server may take to end before it is killed; what it acknowledged is with the kernel by then."""

CRASHES, CRASH_SECONDS = 5, 10.0
"""A server that crashes this often within this time is given up."""

HERE = "."
"""The data directory. The keeper works in it, and never touches one that was made later at the same path."""

PR_SET_PDEATHSIG = 1


class Plan(NamedTuple):
    """What a keeper is told to do; it travels as JSON in the keeper's command line.

    `report` is the descriptor on which the starter waits for one line of JSON. `ownership` and `crashes`
    (times of the monotonic clock) are filled only when a keeper begins again after a crash of its server.
    """

    directory: str
    socket: str
    binary: str
    linger: float | None
    patience: float
    report: int | None = None
    ownership: Sequence[int] = ()
    crashes: Sequence[float] = ()


class StartFailed(Exception):
    """Raised when the server does not come up; the text ends the sentence "the server …"."""


class DirectoryTaken(Exception):
    """Raised when another keeper or its server has the data directory."""


class Keeper:
    """Runs one server: `start` it, `wait` for its end, `stop` it when the last user is gone."""

    def __init__(self, plan: Plan) -> None:
        """Keep the plan; nothing runs yet."""
        self._plan = plan
        self._ownership = plan.ownership
        self._pid = 0
        self._stopping = threading.Event()
        self._ended = threading.Event()

    def run(self) -> None:
        """Keep the server until nobody wants it any longer, or it cannot be kept."""
        try:
            self._start()
        except DirectoryTaken:
            self._report({"taken": True})
            return
        except StartFailed as error:
            self._kill()
            note(f"the server {error}")
            self._report({"failed": str(error)})
        else:
            status = self._wait()
            # Status 0 is somebody's SHUTDOWN or SIGTERM: a wish, not a crash.
            if status != 0 and not self._stopping.is_set():
                note(f"the server {_ending(status)}")
                self._begin_again()
        if self._ownership:
            self._forget()

    def _start(self) -> None:
        try:
            if not self._ownership:
                self._ownership = _own_soon()
                self._forget()  # what a server left behind that could not tidy up
            self._pid = spawn([self._plan.binary, *settings(self._plan)], inherit=self._ownership)
            self._wait_until_ready()
            record = self._record()
            write_record(HERE, record)
        except OSError as error:
            raise StartFailed(f"cannot be kept: {error}") from None
        # Only then: the starter may go, or stop the server, as soon as it knows of it.
        self._watch_users()
        self._report({"record": record._asdict()})

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + self._plan.patience
        while (answer := look(self._plan.socket)) is not Answer.READY:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            if pid:
                self._pid = 0
                raise StartFailed(_ending(os.waitstatus_to_exitcode(status)))
            # Loading may take as long as there is data: it is progress, and the starter has its own patience.
            if answer is not Answer.LOADING and time.monotonic() > deadline:
                raise StartFailed(f"gave no answer within {self._plan.patience:g} s")
            time.sleep(0.002)

    def _record(self) -> Record:
        said = describe(self._plan.socket)
        server, keeper = ProcessId.of(self._pid), ProcessId.of(os.getpid())
        if server is None or keeper is None:
            raise StartFailed("ended as soon as it was up")
        plan = self._plan
        return Record(
            host=socket.gethostname(),
            socket=plan.socket,
            pid=server.pid,
            started=server.started,
            keeper_pid=keeper.pid,
            keeper_started=keeper.started,
            binary=plan.binary,
            version=said.version,
            linger=self._linger(),
        )

    def _report(self, report: dict[str, Any]) -> None:
        if self._plan.report is None:
            return
        # The starter may have been killed meanwhile; its server is then kept like any other.
        with contextlib.suppress(OSError), open(self._plan.report, "w", encoding="utf-8") as pipe:
            pipe.write(json.dumps(report) + "\n")
        self._plan = self._plan._replace(report=None)

    def _watch_users(self) -> None:
        # SIGTERM must reach the main thread: only there can it interrupt the wait for the server.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        threading.Thread(target=self._stop_after_the_last_user, daemon=True).start()
        signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=self._stop, daemon=True).start())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])

    def _stop_after_the_last_user(self) -> None:
        # Without its directory a server has no users.
        with contextlib.suppress(OSError):
            while self._alone() is None:
                pass
        self._stop()

    def _alone(self) -> int | None:
        """Wait until nobody has used the server for as long as it lingers.

        Returns the exclusive lock, held from then on so that whoever attaches now waits for the end and
        starts anew; None when somebody came meanwhile. A user leaves its mark as the file's time, so one that
        also went counts.
        """
        users = os.open(USERS_LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(users, fcntl.LOCK_EX)
        linger, last_use = self._linger(), os.fstat(users).st_mtime_ns
        if linger == 0:
            return users
        os.close(users)
        threading.Event().wait(linger)
        alone = try_lock(USERS_LOCK)
        if alone is not None and os.fstat(alone).st_mtime_ns != last_use:
            os.close(alone)
            return None
        return alone

    def _linger(self) -> float | None:
        record = read_record(HERE)
        return record.linger if record else self._plan.linger

    def _stop(self) -> None:
        self._stopping.set()
        # A server that ended by itself a moment ago is no error.
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGTERM)
            if not self._ended.wait(STOP_SECONDS):
                note(f"the server did not end within {STOP_SECONDS:g} s and is killed")
                os.kill(self._pid, signal.SIGKILL)

    def _wait(self) -> int:
        _, status = os.waitpid(self._pid, 0)
        self._ended.set()
        return os.waitstatus_to_exitcode(status)

    def _kill(self) -> None:
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)

    def _begin_again(self) -> None:
        """Become a fresh keeper if there are users and it is worth while; exec ends the thread that waits."""
        now = time.monotonic()
        crashes = [*(when for when in self._plan.crashes if when > now - CRASH_SECONDS), now]
        if len(crashes) == CRASHES or _nobody_uses_it():
            return
        note("the server is started again")
        plan = self._plan._replace(linger=self._linger(), ownership=self._ownership, crashes=crashes)
        # Else it would be taken for the record of the next server, which has the same socket.
        self._forget()
        for descriptor in self._ownership:
            os.set_inheritable(descriptor, True)
        os.execv(sys.executable, [*sys.orig_argv[:-1], json.dumps(plan._asdict())])  # noqa: S606

    def _forget(self) -> None:
        """Remove record and socket; they are ours, for the ownership ends only with this process."""
        for path in (RECORD, self._plan.socket):
            with contextlib.suppress(OSError):
                os.unlink(path)


def settings(plan: Plan) -> list[str]:
    """Return the whole configuration: a private socket, no TCP port, each write on disk within a second."""
    return [
        *("--port", "0", "--unixsocket", plan.socket, "--unixsocketperm", "700", "--protected-mode", "yes"),
        *("--dir", HERE, "--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
        *("--maxmemory-policy", "noeviction", "--daemonize", "no", "--supervised", "no", "--logfile", ""),
    ]


def spawn(command: list[str], *, inherit: Sequence[int]) -> int:
    """Start a program that inherits the descriptors and ends (SIGTERM) with this process; return its pid.

    The second promise is Linux's; elsewhere `attach` finds and replaces a server whose keeper is gone.
    """
    end_with_parent = _parent_death_signal()
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        end_with_parent()
        if os.getppid() == parent:
            for descriptor in inherit:
                os.set_inheritable(descriptor, True)
            os.execv(command[0], command)  # noqa: S606 - no shell is wanted
    except OSError as error:
        note(f"{command[0]} cannot be run: {error.strerror}")
    finally:
        os._exit(127)


def note(text: str) -> None:
    """Write a line into the server's log, if there is room."""
    line = f"{os.getpid()}:keeper {time.strftime('%d %b %Y %H:%M:%S')} {text}\n"
    with contextlib.suppress(OSError):
        os.write(2, line.encode(errors="replace"))


def main(argument: str) -> None:
    """Leave the starter's process tree, then keep the server of the plan (JSON) in the working directory."""
    plan = Plan(**json.loads(argument))
    if plan.report is not None:
        os.set_inheritable(plan.report, False)
        # The starter reaps this process at once, and the keeper belongs to init: it is nobody's zombie.
        if os.fork():
            return
    os.umask(0o077)
    # What the starter blocks or ignores is not for the server.
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    Keeper(plan).run()


def _own_soon() -> list[int]:
    """Own the directory; whoever only tries whether it is free has it for a moment."""
    for _ in range(50):
        if ownership := own(HERE):
            return ownership
        time.sleep(0.01)
    raise DirectoryTaken


def _nobody_uses_it() -> bool:
    """Tell whether there are no users, and then let none come any more.

    The thread that waits for their end holds the lock for a moment itself, which is not to be taken for a user.
    """
    for _ in range(2):
        if try_lock(USERS_LOCK) is not None:
            return True
        shared = try_lock(USERS_LOCK, shared=True)
        if shared is None:
            return True
        os.close(shared)
    return False


def _ending(status: int) -> str:
    return f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"


def _parent_death_signal() -> Callable[[], object]:
    """Return the call that a child makes to be ended with its parent; it does nothing outside Linux."""
    if sys.platform != "linux":
        return lambda: None
    import ctypes

    prctl = ctypes.CDLL(None, use_errno=True).prctl
    return lambda: prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
