"""Where the embedded server keeps its data and its socket, and who may see them."""

import hashlib
import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path

from lion_broker.errors import ConfigError

__all__ = ["data_directory", "directory_of", "private_directory", "runtime_directory", "socket_path"]

LONGEST_SOCKET_PATH = 100
"""Bytes; the kernels stop at 104 (macOS) or 108 (Linux)."""


def data_directory(environ: Mapping[str, str]) -> Path:
    """Return the directory of this user's server, which need not exist yet.

    `LION_BROKER_DATA_DIR`, else `lion-broker` in the place where the platform keeps a user's data
    (`XDG_DATA_HOME`, `~/.local/share`; on macOS `~/Library/Application Support`).
    """
    if chosen := environ.get("LION_BROKER_DATA_DIR"):
        return Path(chosen).expanduser()
    home = Path(environ.get("HOME") or Path.home())
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "lion-broker"
    xdg = Path(environ.get("XDG_DATA_HOME", ""))
    # The XDG specification has relative paths ignored.
    return (xdg if xdg.is_absolute() else home / ".local" / "share") / "lion-broker"


def directory_of(url: str, environ: Mapping[str, str]) -> Path:
    """Return the directory of the server that an `embedded://[dir]` URL names; of any other URL this user's own."""
    named = url.removeprefix("embedded://") if url.startswith("embedded://") else ""
    return (Path(named) if named else data_directory(environ)).expanduser().resolve()


def runtime_directory(environ: Mapping[str, str]) -> Path:
    """Return the short directory for sockets, which need not exist yet.

    `LION_BROKER_RUNTIME_DIR`, else `$XDG_RUNTIME_DIR/lion-broker`, else `/tmp/lion-broker-<uid>`. An
    `XDG_RUNTIME_DIR` of somebody else, as `su` leaves it behind, is passed over.
    """
    if chosen := environ.get("LION_BROKER_RUNTIME_DIR"):
        return Path(chosen).expanduser()
    xdg = environ.get("XDG_RUNTIME_DIR", "")
    if os.path.isabs(xdg) and _is_own_directory(Path(xdg)):
        return Path(xdg) / "lion-broker"
    # /tmp and not $TMPDIR: all processes of a user must agree, and the path must be short.
    return Path(f"/tmp/lion-broker-{os.getuid()}")  # noqa: S108 - made private and checked by private_directory


def socket_path(directory: Path, environ: Mapping[str, str]) -> Path:
    """Return the socket of the server of an existing data directory.

    The name is a hash of the directory's device and inode, so each way to write its path leads to the same
    socket, and a directory that was deleted and made anew gets another. Raises ConfigError when the path is
    too long, or cannot be shown.
    """
    place = directory.stat()
    name = hashlib.blake2s(f"{place.st_dev}:{place.st_ino}".encode(), digest_size=6).hexdigest()
    path = runtime_directory(environ).absolute() / f"{name}.sock"
    if not str(path).isprintable():
        raise ConfigError(
            f"The path of the server's socket has signs that cannot be shown: {str(path)!r}."
            " Set LION_BROKER_RUNTIME_DIR to another directory."
        )
    length = len(os.fsencode(path))
    if length > LONGEST_SOCKET_PATH:
        raise ConfigError(
            f"The path of the server's socket has {length} bytes, {LONGEST_SOCKET_PATH} are allowed: {path}. "
            "Set LION_BROKER_RUNTIME_DIR to a shorter directory."
        )
    return path


def private_directory(path: Path) -> Path:
    """Make a directory with mode 0700 if it is missing, check that only we can write it, and return it.

    An empty directory of ours is tightened to 0700. Raises ConfigError for anything that is no directory,
    belongs to another user, can be written by others, or cannot be made or written by us.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        place = path.lstat()
        if not stat.S_ISDIR(place.st_mode):
            raise ConfigError(f"{path} is a link to a directory; name the directory itself.")
        if place.st_uid != os.getuid():
            raise ConfigError(f"{path} belongs to user {place.st_uid}, not to you ({os.getuid()}): choose another one.")
        if place.st_mode & 0o077 and not any(path.iterdir()):
            path.chmod(0o700)
        elif place.st_mode & 0o022:
            raise ConfigError(f"{path} can be written by other users. Close it first: chmod 700 '{path}'")
    except OSError as error:
        reason = "it is not a directory" if isinstance(error, FileExistsError | NotADirectoryError) else error.strerror
        raise ConfigError(f"{path} cannot be used as a directory of the embedded server: {reason}.") from None
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        raise ConfigError(f"{path} cannot be written by this user: chmod 700 '{path}'")
    return path


def _is_own_directory(path: Path) -> bool:
    try:
        place = path.stat()
    except OSError:
        return False
    return stat.S_ISDIR(place.st_mode) and place.st_uid == os.getuid()
