"""A real server on a port of this machine that can be killed and started again on the same data."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Any, Self

from redis import Redis
from redis.exceptions import RedisError

from lion_broker.testing import wait_until
from tests.conformance.servers import find_bundled, free_port

__all__ = ["MortalServer"]

_START_SECONDS = 30.0


class MortalServer:
    """A server with an append-only file; `fsync` is when that goes to disk: everysec, or always before an answer."""

    def __init__(self, fsync: str = "everysec") -> None:
        self.fsync = fsync
        self.starts = 0
        self._folder = tempfile.TemporaryDirectory(prefix="lion-chaos-")
        self.port = free_port()
        self.client: Any = Redis(host="127.0.0.1", port=self.port, socket_timeout=20)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """What clients connect to that need no proxy."""
        return f"redis://127.0.0.1:{self.port}"

    @property
    def folder(self) -> Path:
        """Where its data are."""
        return Path(self._folder.name)

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> Self:
        """Start it, and return when it answers."""
        options = {
            "port": self.port,
            "bind": "127.0.0.1",
            "dir": self.folder,
            "save": "",
            "appendonly": "yes",
            "appendfsync": self.fsync,
            "logfile": "log",
        }
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        self._process = subprocess.Popen([str(find_bundled()), *words], stdin=subprocess.DEVNULL)
        self.starts += 1
        wait_until(self._answers, _START_SECONDS, "the server did not start")
        return self

    def kill(self) -> None:
        """Kill it as `kill -9` does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        """End it; its data go with it."""
        self.client.close()
        self.kill()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _answers(self) -> bool:
        assert self.alive, (self.folder / "log").read_text()
        try:
            return bool(self.client.ping())
        except RedisError:
            return False
