"""Where a test plays: a namespace of its own on a real server, and real worker processes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO, Any, Self
from uuid import uuid4

from lion_broker.broker.connect import EmbeddedExchange
from lion_broker.broker.embedded import stop
from lion_broker.config import Settings
from tests.conformance.servers import Server

__all__ = ["ROOT", "Home", "Program", "Stage", "short_folder"]

ROOT = Path(__file__).parents[1]


@contextlib.contextmanager
def short_folder() -> Iterator[Path]:
    """A folder whose name is short enough for a socket; pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="lion-") as folder:
        yield Path(folder)


@dataclass(frozen=True)
class Home:
    """A data directory with an embedded server, which starts with the first exchange."""

    folder: Path

    @cached_property
    def environ(self) -> dict[str, str]:
        """What programs need in their environment to find this server and no other."""
        return {
            "LION_BROKER_DATA_DIR": str(self.folder / "d"),
            "LION_BROKER_RUNTIME_DIR": str(self.folder / "r"),
            "LION_BROKER_LINGER": "1",
        }

    def stage(self) -> Stage:
        """A new namespace on this server."""
        return Stage({**self.environ, "LION_BROKER_NAMESPACE": f"ns-{uuid4().hex[:12]}"})

    def close(self) -> None:
        """Stop the server, whoever still uses it."""
        stop(self.folder / "d", environ=self.environ)


@dataclass
class Stage:
    """A namespace of a server: exchanges of this process, programs of their own, and a plain client of the server."""

    environ: dict[str, str]
    exchanges: list[EmbeddedExchange] = field(default_factory=list)
    programs: list[Program] = field(default_factory=list)

    def connect(self, **settings: Any) -> EmbeddedExchange:
        """One more exchange on the namespace; it is closed with the stage."""
        values = {"patience": 30.0, **settings}
        exchange = EmbeddedExchange(Settings.load(self.environ, **values))
        self.exchanges.append(exchange)
        return exchange

    @cached_property
    def exchange(self) -> EmbeddedExchange:
        """The exchange that most tests need one of."""
        return self.connect()

    @cached_property
    def server(self) -> Server:
        """A plain client of the server."""
        return Server(self.exchange._lease.server.socket)

    def start(self, *words: str, **environ: str) -> Program:
        """Start a Python program with these words as its command line; it ends with the stage at the latest."""
        program = Program(words, {**self.environ, **environ})
        self.programs.append(program)
        return program

    def worker(
        self,
        app: str = "tests.apps.desk:registry",
        pool: str = "default",
        *options: str,
        module: str = "lion_broker",
        lease: float = 1.0,
        **environ: str,
    ) -> Program:
        """Start a worker process; `ready()` waits until it serves."""
        words = ("-m", module, "worker", "--app", app, "--pool", pool, "--json", "--until-eof", *options)
        return self.start(*words, **{"LION_BROKER_LEASE": str(lease), **environ})

    def workers(self, count: int, **options: Any) -> list[Program]:
        """Start several workers side by side; all serve when this returns."""
        started = [self.worker(**options) for _ in range(count)]
        for one in started:
            one.ready()
        return started

    def close(self) -> None:
        """End every program and connection."""
        for program in self.programs:
            program.end()
        for exchange in self.exchanges:
            exchange.close()
        if "server" in self.__dict__:
            self.server.client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()


class Program:
    """A process of its own whose standard output is read line by line."""

    def __init__(self, words: tuple[str, ...], environ: Mapping[str, str]) -> None:
        # Appended to, for the program shares the place at which this one reads, and would write over what was there.
        self._errors: IO[bytes] = tempfile.TemporaryFile("a+b")  # noqa: SIM115 - `end` closes it
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("LION_BROKER_")}
        self.process = subprocess.Popen(
            [sys.executable, *words],
            cwd=ROOT,
            env={**inherited, "PYTHONPATH": str(ROOT), **environ},
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
        """What it has written to standard error so far."""
        self._errors.seek(0)
        return self._errors.read().decode("utf-8", "replace")

    def line(self) -> str:
        """The next line of its output; AssertionError with its errors when there is none."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the program ended with {self.process.wait()}: {self.errors}"
        return line.strip()

    def told(self) -> Any:
        """The next line of its output as JSON."""
        return json.loads(self.line())

    def ready(self) -> str:
        """Wait until it says that it is ready; returns the name under which it owns branches."""
        event = self.told()
        assert event["event"] == "ready", event
        return str(event["owner"])

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait()

    def wait(self, seconds: float = 60.0) -> int:
        """Wait for its end and return the exit code."""
        return self.process.wait(seconds)

    def stop(self) -> int:
        """Ask it to end, and return the exit code."""
        self.process.terminate()
        return self.wait()

    def freeze(self) -> None:
        """Let it run no further."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it run on, as if no time had passed."""
        self.process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        """End it whatever it does, and let go of its pipes; may be called twice."""
        if self.alive:
            self.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        self._errors.close()
