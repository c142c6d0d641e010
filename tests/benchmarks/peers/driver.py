"""Starts the program of a contender and talks with it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .environment import ROOT, python_of
from .table import Contender

__all__ = ["Failed", "Peer", "started"]

# A program that says nothing for so long has failed.
PATIENCE = 180


class Failed(Exception):
    """Raised when a contender cannot be installed or started, ends, falls silent, or says that its outcome is wrong."""


class Peer:
    """A running program."""

    def __init__(self, contender: Contender, process: subprocess.Popen[str], complaints: Path) -> None:
        self.contender = contender
        self._process = process
        self._complaints = complaints
        self.hello = self.hear()

    def tell(self, order: str, **arguments: object) -> None:
        """Give an order."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # `hear` says why it has ended
            self._process.stdin.write(json.dumps({"order": order, **arguments}) + "\n")
            self._process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        """Return the next answer; raises Failed with the last line that the program wrote to stderr."""
        assert self._process.stdout is not None
        timer = threading.Timer(PATIENCE, self._process.send_signal, [signal.SIGALRM])
        timer.start()
        try:
            line = self._process.stdout.readline()
        finally:
            timer.cancel()
        if not line:
            if self._process.wait() == -signal.SIGALRM:
                raise Failed(f"it said nothing for {PATIENCE} seconds")
            raise Failed(_last_line(self._complaints.read_text(errors="replace")) or "it ended without a word")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def ask(self, order: str, **arguments: object) -> dict[str, Any]:
        """Give an order and return the answer."""
        self.tell(order, **arguments)
        return self.hear()


@contextmanager
def started(contender: Contender, url: str, environment: dict[str, str]) -> Iterator[Peer]:
    """Start a program of a contender, and end it and what it has started afterwards."""
    try:
        python = str(python_of(contender.environment)) if contender.environment else sys.executable
    except subprocess.CalledProcessError as error:
        raise Failed(_last_line(error.stderr) or str(error)) from error
    command = [python, "-m", f"tests.benchmarks.peers.{contender.program}", url, contender.variant]
    with tempfile.TemporaryDirectory(prefix="lion-bench-") as folder:
        complaints = Path(folder, "stderr")
        with complaints.open("w") as stderr:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                start_new_session=True,
            )
        try:
            yield Peer(contender, process, complaints)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
