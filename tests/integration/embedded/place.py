"""A place for one embedded server, which leaves no process behind, and waiting without sleeping."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from redis import Redis

from lion_broker.broker import embedded
from lion_broker.broker.embedded import EmbeddedLease, attach, stop
from lion_broker.broker.server.state import ProcessId, ask, read_record
from lion_broker.testing import wait_until as wait_until

ROOT = Path(embedded.__file__).parents[2]

USER = """\
import os, sys
from pathlib import Path
from lion_broker.broker.embedded import attach
lease = attach(Path(sys.argv[1]), environ=os.environ)
print(lease.server.pid, flush=True)
sys.stdin.readline()
"""
"""A program that uses the server until its standard input ends."""


@dataclass
class Place:
    """A data directory with a runtime directory, and everything that runs for them."""

    directory: Path
    runtime: Path
    environ: dict[str, str]
    leases: list[EmbeddedLease] = field(default_factory=list)
    programs: list[subprocess.Popen[str]] = field(default_factory=list)

    def attach(
        self,
        settings: Mapping[str, str] = MappingProxyType({}),
        *,
        linger: float | None = 0.1,
        patience: float = 60.0,
    ) -> EmbeddedLease:
        """Attach in this process; the lease is closed after the test at the latest."""
        environ = {**self.environ, **settings}
        lease = attach(self.directory, environ=environ, linger=linger, start_timeout=patience)
        self.leases.append(lease)
        return lease

    def stop(self) -> bool:
        """Stop the server of this place now."""
        return stop(self.directory, environ=self.environ)

    def ask(self, *words: str) -> str:
        """Send one command to the running server."""
        record = read_record(str(self.directory))
        assert record is not None
        return ask(record.socket, *words)

    def program(self, text: str = USER, **settings: str) -> subprocess.Popen[str]:
        """Start a program in a process of its own, with the data directory as its argument."""
        program = subprocess.Popen(
            [sys.executable, "-c", text, str(self.directory)],
            env=os.environ | self.environ | {"LION_BROKER_LINGER": "0.1", "PYTHONPATH": str(ROOT)} | settings,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.programs.append(program)
        return program

    def config(self, setting: str) -> str:
        """Return one setting of the running server."""
        record = read_record(str(self.directory))
        assert record is not None
        with Redis(unix_socket_path=record.socket, protocol=3, decode_responses=True) as client:
            return str(client.config_get(setting)[setting])

    @property
    def keeper(self) -> ProcessId:
        """The process that owns the running server."""
        record = read_record(str(self.directory))
        assert record is not None
        return record.keeper

    def processes(self) -> set[int]:
        """Keepers and servers of this place, whoever started them, without the tests' own programs."""
        found = {pid for pid, command in commands() if str(self.runtime) in command}
        return found - {program.pid for program in self.programs}

    def wait_until_empty(self) -> None:
        """Wait for the end of every keeper and server of this place."""
        wait_until(lambda: not self.processes())

    def close(self) -> None:
        """End whatever still runs, with or without a record of it."""
        for program in self.programs:
            program.kill()
            program.communicate()
        for lease in self.leases:
            lease.close()
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
                os.kill(pid, signal.SIGCONT)
                os.kill(pid, signal.SIGTERM)
        self.wait_until_empty()


def commands() -> Iterator[tuple[int, str]]:
    """Every process's number and command line."""
    if not Path("/proc/self").exists():
        ps = ["ps", "-axwwo", "pid=,command="]
        for line in subprocess.run(ps, capture_output=True, text=True, check=True).stdout.splitlines():
            pid, _, command = line.strip().partition(" ")
            yield int(pid), command
        return
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                yield int(entry.name), (entry / "cmdline").read_text(errors="replace")
            except OSError:  # it has ended meanwhile
                continue
