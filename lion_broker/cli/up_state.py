"""What stands in a data directory about the `up` that runs: which process it is, and whether it lives."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lion_broker.errors import LionError

if TYPE_CHECKING:
    from lion_broker.config import Settings

__all__ = ["UpFiles", "UpState"]

_PAUSE_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class UpState:
    """A running `up`: its process, since when, where its exchange is, and its dashboard.

    `address` is what a browser opens; it has the token where `up` has made one.
    """

    pid: int
    started: float
    exchange: str
    dashboard: str
    app: str
    pools: tuple[str, ...]
    address: str = field(default="", repr=False)


class UpFiles:
    """The files of one namespace's `up` in the data directory: a lock while it lives, what it says, and its log."""

    def __init__(self, settings: Settings) -> None:
        from lion_broker.broker.server.directory import data_directory

        self.directory = data_directory(settings.environ).expanduser().resolve()
        self._stem = f"up-{settings.namespace}"

    @property
    def log(self) -> Path:
        """Where the log lines go of one that runs on its own."""
        return self.directory / f"{self._stem}.log"

    @contextmanager
    def taken(self) -> Iterator[Callable[[UpState], None]]:
        """Be the one `up` of the namespace here; yields what writes down what is to be known. Raises LionError."""
        from lion_broker.broker.server.directory import private_directory
        from lion_broker.broker.server.state import release, try_lock

        private_directory(self.directory)
        lock = try_lock(str(self._lock))
        if lock is None:
            other = self.read()
            who = f" (process {other.pid})" if other else ""
            raise LionError(
                f"It is up already{who}: `lion-broker down` stops it, `lion-broker status` shows it,"
                " and `lion-broker up --address` says where its dashboard is."
            )
        try:
            yield self._write
        finally:
            self._record.unlink(missing_ok=True)
            release(lock)

    def read(self) -> UpState | None:
        """Return what runs here; None when nothing does, or has not said yet who it is."""
        from pydantic import TypeAdapter, ValidationError

        if not self.is_taken():
            return None
        try:
            return TypeAdapter(UpState).validate_json(self._record.read_bytes())
        except (OSError, ValidationError):
            return None

    def is_taken(self) -> bool:
        """Whether one runs here."""
        from lion_broker.broker.server.state import release, try_lock

        if not self._lock.exists():
            return False
        lock = try_lock(str(self._lock))
        if lock is not None:
            release(lock)
        return lock is None

    def terminate(self, timeout: float) -> bool:
        """Have what runs here end; returns whether it has, within `timeout` seconds."""
        end, told = time.monotonic() + timeout, 0
        while self.is_taken():
            running = self.read()
            # It may not have said yet who it is.
            if running is not None and running.pid != told:
                told = running.pid
                with suppress(ProcessLookupError):
                    os.kill(told, signal.SIGTERM)
            if time.monotonic() >= end:
                return False
            time.sleep(_PAUSE_SECONDS)
        return True

    @property
    def _lock(self) -> Path:
        return self.directory / f"{self._stem}.lock"

    @property
    def _record(self) -> Path:
        return self.directory / f"{self._stem}.json"

    def _write(self, standing: UpState) -> None:
        from pydantic_core import to_json

        draft = self.directory / f"{self._stem}.{os.getpid()}"
        # It may have the token of the dashboard.
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(to_json(asdict(standing)))
        draft.replace(self._record)
