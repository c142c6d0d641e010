"""Starts a keeper with its server, and explains why when it does not come up."""

import contextlib
import json
import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lion_broker.broker.server.binary import find_server_binary
from lion_broker.broker.server.keeper import COMMAND, Plan
from lion_broker.broker.server.state import Record
from lion_broker.errors import ServerStartFailed

__all__ = ["LOG", "advice", "start"]

LOG = "server.log"
LARGEST_LOG_BYTES = 1 << 20
LINES_SHOWN = 8

NEEDED_BYTES = 1 << 16
"""Room that a server needs for its first files."""

REPORT_SECONDS = 5.0
"""How much longer than its server a keeper may take to report, on a machine that lets it wait."""

ENVIRONMENT = (
    "HOME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "PATH",
    "TMPDIR",
    "TZ",
)
"""What keeper and server see of the environment; they outlive their starter, its secrets are not theirs."""

DAMAGED = """\
The stored data are damaged. Keep a copy of {directory}/appendonlydir, then cut off what cannot be read:
  cd '{directory}/appendonlydir'
  bash -c 'exec -a {tool} "$0" --fix {file}' '{binary}'"""
UNREADABLE = """\
The stored data cannot be read. Written by a newer or another server? Name that one in LION_BROKER_SERVER.
Damaged? Put back a copy of {directory}/appendonlydir, or start empty:
  mv '{directory}/appendonlydir' '{directory}/appendonlydir.damaged'"""
NO_ROOM = "There is no room for the files in {directory}: free space there, or set LION_BROKER_DATA_DIR."
NO_SOCKET = "The socket {socket} cannot be made: set LION_BROKER_RUNTIME_DIR to a directory that allows it."

ADVICE = {
    r"append only file (?P<file>\S+\.incr\.aof)": DAMAGED,
    r"append only file|RDB reading|RDB format|AOF manifest": UNREADABLE,
    r"opening Unix socket": NO_SOCKET,
}
"""What to do, by the words of the log that call for it; the first that fits counts."""


def start(
    directory: Path, socket: Path, environ: Mapping[str, str], linger: float | None, patience: float
) -> Record | None:
    """Start the server of a directory, return its record once it answers; None when another came first.

    `linger` and `patience` in seconds. The server belongs to its keeper, no longer to this process.
    Raises ServerNotFound, ConfigError, or ServerStartFailed with the end of the server's log.
    """
    binary = find_server_binary(environ)
    log = directory / LOG
    if log.exists() and log.stat().st_size > LARGEST_LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))
    log_start = log.stat().st_size if log.exists() else 0
    plan = Plan(str(directory), str(socket), str(binary), linger, patience)
    report = _run_keeper(plan, log, environ)
    if "record" in report:
        return Record(**report["record"])
    if "taken" in report:
        return None
    tail = _tail(log, log_start)
    reason = report.get("failed", f"is not up after {patience:.3g} s; it may still be loading its data")
    parts = [
        f"The embedded server in {directory} was not started: the server {reason}.",
        advice(tail, plan) if _has_room(directory) else NO_ROOM.format(directory=directory),
        f"The end of {log}:\n{tail}" if tail else "",
    ]
    raise ServerStartFailed("\n".join(filter(None, parts)))


def advice(log: str, plan: Plan) -> str:
    """Return what to do about a server that ended with this log, nothing when that is unknown."""
    tool = "redis-check-aof" if Path(plan.binary).name.startswith("redis") else "valkey-check-aof"
    for words, text in ADVICE.items():
        if found := re.search(words, log):
            return text.format(tool=tool, **found.groupdict(), **plan._asdict())
    return ""


def _has_room(directory: Path) -> bool:
    """Try to write, for on a full disk the log says nothing; this also sees quotas and other limits."""
    attempt = directory / f"room.{os.getpid()}"
    try:
        attempt.write_bytes(bytes(NEEDED_BYTES))
    except OSError:
        return False
    finally:
        attempt.unlink(missing_ok=True)
    return True


def _run_keeper(plan: Plan, log: Path, environ: Mapping[str, str]) -> dict[str, Any]:
    reading, writing = os.pipe()
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    modules = Path(__file__).resolve().parent.parent
    argument = json.dumps(plan._replace(report=writing)._asdict())
    try:
        keeper = subprocess.Popen(  # noqa: S603 - this interpreter and our own module
            [sys.executable, "-I", "-S", "-c", COMMAND, modules, argument],
            cwd=plan.directory,
            env={name: environ[name] for name in ENVIRONMENT if name in environ},
            pass_fds=[writing],
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    except OSError as error:
        os.close(reading)
        raise ServerStartFailed(f"The server's keeper cannot be run by {sys.executable}: {error}.") from None
    finally:
        os.close(writing)
        os.close(output)
    # What was started forks the keeper and ends at once.
    keeper.wait()
    return _report(reading, plan.patience + REPORT_SECONDS)


def _report(reading: int, patience: float) -> dict[str, Any]:
    """Read the keeper's one line; empty when it says nothing in time."""
    deadline, text = time.monotonic() + patience, b""
    poll = select.poll()  # select.select would stop at descriptor 1024
    poll.register(reading, select.POLLIN | select.POLLHUP)
    with contextlib.closing(os.fdopen(reading, "rb", buffering=0)) as pipe:
        while not text.endswith(b"\n") and poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            piece = pipe.read(65536)
            if not piece:
                return {"failed": "has lost its keeper while it was starting"}
            text += piece
    return json.loads(text) if text.endswith(b"\n") else {}


def _tail(log: Path, start: int) -> str:
    with log.open("rb") as file:
        file.seek(start)
        lines = [line for line in file.read().decode(errors="replace").splitlines() if line.strip()]
    return "\n".join(f"  {line}" for line in lines[-LINES_SHOWN:])
