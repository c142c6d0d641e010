"""The worker processes of one desk: started together, killed for show, and gone when the desk is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from typing import IO, Final, Self

from lion_broker.core.numbers import counted
from lion_broker.errors import BrokerError

__all__ = ["Crew"]

_GRACE: Final = 5.0


class Crew:
    """Worker processes that serve one pool with one app; a context manager: outside it none of them is left.

    Each worker reads the end of a pipe that only this process holds, so it stops even when this process is killed.
    `arguments` go to `lion-broker worker`, `environ` is its whole environment.
    """

    def __init__(self, count: int, arguments: list[str], environ: Mapping[str, str]) -> None:
        self._count = count
        self._command = [
            sys.executable,
            "-m",
            "lion_broker",
            "worker",
            "--until-eof",
            "--log-level",
            "warning",
            *arguments,
        ]
        self._environ = dict(environ)
        self._workers: list[subprocess.Popen[bytes]] = []
        # Appended to, for the workers share the place at which this one reads, and would write over what was there.
        self._complaints: IO[bytes] = tempfile.TemporaryFile("a+b")  # noqa: SIM115 - closed with the workers

    def __enter__(self) -> Self:
        try:
            for _ in range(self._count):
                self._start()
        except BaseException:
            self._stop(0.0)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # What came to a bad end need not be waited for: the work of a killed worker stays in the store.
        self._stop(_GRACE if kind is None else 0.0)

    def number_of(self, owner: str) -> int | None:
        """Return which worker an owner `host:pid:…` is, counted from 1; None for none of these."""
        numbers = {str(worker.pid): number for number, worker in enumerate(self._workers, 1)}
        return numbers.get(owner.split(":")[1]) if owner.count(":") > 1 else None

    def kill(self, number: int, is_at_work: Callable[[], bool]) -> bool:
        """Kill a worker with SIGKILL while `is_at_work` holds; False, and nothing done, when it holds no longer.

        It is frozen before the question is asked, so that nothing ends between the question and the kill.
        """
        worker = self._workers[number - 1]
        worker.send_signal(signal.SIGSTOP)
        if not is_at_work():
            worker.send_signal(signal.SIGCONT)
            return False
        worker.kill()
        worker.wait()
        return True

    def check(self) -> None:
        """Raise BrokerError, with the last that they said, when no worker is left."""
        if all(worker.poll() is not None for worker in self._workers):
            codes = ", ".join(str(worker.returncode) for worker in self._workers)
            all_ended = counted(self._count, "worker has ended", "workers have ended")
            raise BrokerError(f"{all_ended}, and none is left (exit codes: {codes}). {self._last_words()}")

    def _start(self) -> None:
        # A session of its own: Ctrl-C is for this process, which then stops them in order.
        worker = subprocess.Popen(  # noqa: S603 - the project's own command line
            self._command,
            env=self._environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._complaints,
            start_new_session=True,
        )
        self._workers.append(worker)

    def _stop(self, grace: float) -> None:
        """Tell all workers to stop, and kill those that do not within `grace` seconds."""
        for worker in self._workers:
            if worker.poll() is None:
                worker.terminate()
                # One that is frozen must go on to be able to stop.
                os.kill(worker.pid, signal.SIGCONT)
        deadline = time.monotonic() + grace
        for worker in self._workers:
            try:
                worker.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()
            if worker.stdin is not None:
                worker.stdin.close()
        self._complaints.close()

    def _last_words(self) -> str:
        self._complaints.seek(0)
        lines = self._complaints.read().decode(errors="replace").strip().splitlines()
        return f"The last that they said: {lines[-1]}" if lines else "They said nothing."
