"""Real worker processes for tests: started, waited for, killed, frozen, stopped."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from typing import IO, Any, Self

from lion_broker.config import Settings

__all__ = ["WorkerProcess", "running_worker"]

_STOP_SECONDS = 5.0


class WorkerProcess:
    """A `lion-broker worker` in a process of its own, which ends with the process that started it.

    It imports what this process can import, and finds the exchange by `url` or `environ`, else where this process finds
    it.
    """

    def __init__(
        self,
        app: str,
        pool: str = "default",
        *,
        url: str | None = None,
        namespace: str | None = None,
        lease: float | None = None,
        options: tuple[str, ...] = (),
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """Start the process, without waiting until it serves; `options` are further ones of `lion-broker worker`."""
        named = {"--app": app, "--pool": pool, "--url": url, "--namespace": namespace, "--lease": lease}
        words = [word for name, value in named.items() if value is not None for word in (name, str(value))]
        # The environment does not tell what pytest has added to the search path of modules.
        paths = os.pathsep.join(path for path in sys.path if path)
        self.owner = ""
        """The name under which it owns branches; empty before `ready`."""
        self._said = ""
        # Appending: reading it moves the place in the file that both processes share.
        self._errors: IO[bytes] = tempfile.TemporaryFile("a+b")  # noqa: SIM115 - `close` closes it
        self.process = subprocess.Popen(  # noqa: S603 - the project's own command line
            [sys.executable, "-m", "lion_broker", "worker", *words, "--json", "--until-eof", *options],
            env={**Settings.load().environ, **(environ or {}), "PYTHONPATH": paths},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self.process.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self.process.poll() is None

    @property
    def errors(self) -> str:
        """What it has written to standard error so far: its log lines."""
        if self._errors.closed:
            return self._said
        self._errors.seek(0)
        return self._errors.read().decode("utf-8", "replace")

    def ready(self, timeout: float = 60.0) -> Self:
        """Wait until it serves. AssertionError, with what it has written, when it ends before or takes longer."""
        if not self.owner:
            event = self._first_event(timeout)
            if event is None or "owner" not in event:  # an error is an event too
                self._see_end()
                raise AssertionError(
                    f"the worker was not ready within {timeout:g} s, and ended with {self.process.returncode}:"
                    f"\n{self.errors}"
                )
            self.owner = event["owner"]
        return self

    def kill(self) -> None:
        """End it as a power cut would; it hands nothing over. Returns when it is gone."""
        self.process.kill()
        self.process.wait()

    def stop(self, timeout: float = 60.0) -> int:
        """Have it end its turns and hand its branches over; returns its exit code. Raises TimeoutExpired."""
        self.process.terminate()
        return self.process.wait(timeout)

    def freeze(self) -> None:
        """Let it run no further, as a machine that hangs."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it run on, as if no time had passed."""
        self.process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """End it, gently if it likes, and let go of its pipes. May be called twice."""
        if self.alive:
            self.thaw()
            self.process.terminate()
            self._see_end()
        self._said = self.errors
        for pipe in (self.process.stdin, self.process.stdout, self._errors):
            if pipe is not None:
                pipe.close()

    def _see_end(self) -> None:
        """Wait until it has ended, which it is about to, and help if it does not."""
        try:
            self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def _first_event(self, timeout: float) -> dict[str, Any] | None:
        # A pipe cannot be read with a limit of time; the end of the process ends the reading.
        limit = threading.Timer(timeout, self.process.kill)
        limit.start()
        try:
            line = self.process.stdout.readline() if self.process.stdout else ""
        finally:
            limit.cancel()
            limit.join()
        event: dict[str, Any] | None = json.loads(line) if line else None
        return event

    def __repr__(self) -> str:
        state = "alive" if self.alive else f"ended with {self.process.returncode}"
        return f"WorkerProcess({self.owner or 'not ready'}, pid {self.pid}, {state})"


@contextlib.contextmanager
def running_worker(app: str, pool: str = "default", **options: Any) -> Iterator[WorkerProcess]:
    """Run a worker process for the length of a block: `with running_worker("app:registry", pool="readers") as worker:`.

    `app` names a Registry that the worker imports; `options` are those of `WorkerProcess`. It serves when the block
    begins, and is stopped at its end unless the test has killed it.
    """
    worker = WorkerProcess(app, pool, **options)
    try:
        yield worker.ready()
    finally:
        worker.close()
