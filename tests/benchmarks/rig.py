"""The server that the benchmarks run on, and how they count."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import anyio
import redis

from lion_broker import Instruction
from lion_broker.broker.connect import data_secret
from lion_broker.broker.embedded import attach, stop
from lion_broker.broker.exchange import RedisExchange
from lion_broker.mail.wire import Header, WireMail, encode_json

__all__ = ["Curve", "Figure", "Rig", "WrongResult", "kilobyte_mails", "rig", "run_fast"]

T = TypeVar("T")


class WrongResult(Exception):
    """Raised when a benchmark has not done what it measures, such as when mail is missing; it ends the run."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value; `goal` is what it is compared with, in words, and `at_least` or `at_most` in numbers.

    `who` is whose value it is, empty for lion-broker. `samples` are the values that it is the median of. A contender
    that could not be measured has an `error` and no value (NaN).
    """

    number: str
    work: str
    value: float
    unit: str
    goal: str = ""
    who: str = ""
    at_least: float | None = None
    at_most: float | None = None
    samples: tuple[float, ...] = ()
    error: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None where there is none, or nothing was measured."""
        if math.isnan(self.value) or (self.at_least is None and self.at_most is None):
            return None
        return (self.at_least is None or self.value >= self.at_least) and (
            self.at_most is None or self.value <= self.at_most
        )


@dataclass(frozen=True, slots=True)
class Curve:
    """How one value grows with another: `points` are (x, y), `goal` in words what shape is wanted."""

    number: str
    work: str
    x: str
    y: str
    points: tuple[tuple[float, float], ...]
    goal: str = ""


class Rig:
    """A server of its own on a private socket, with AOF every second, and a way to look at it from outside."""

    def __init__(self, directory: Path, socket: Path) -> None:
        self.directory = directory
        self.socket = socket
        self.raw = redis.Redis(unix_socket_path=str(socket), protocol=2)

    def exchange(self) -> RedisExchange:
        """Return an exchange on the server."""
        return RedisExchange(f"unix://{self.socket}", data_secret(self.directory))

    def environment(self) -> dict[str, str]:
        """Return the environment in which a child process finds the same server."""
        return {**os.environ, "LION_BROKER_URL": f"embedded://{self.directory}"}

    def server_cpu(self) -> float:
        """Seconds of CPU that the server has used."""
        cpu: Any = self.raw.info("cpu")
        return float(cpu["used_cpu_user"]) + float(cpu["used_cpu_sys"])

    def calls(self) -> dict[str, int]:
        """How often each command was called since the last `reset`."""
        stats: Any = self.raw.info("commandstats")
        return {name.removeprefix("cmdstat_"): int(row["calls"]) for name, row in stats.items()}

    def reset(self) -> None:
        """Begin to count commands anew."""
        self.raw.config_resetstat()


@contextmanager
def rig() -> Iterator[Rig]:
    """Start a server for the benchmarks and stop it afterwards."""
    with tempfile.TemporaryDirectory(prefix="lion-bench-") as directory:
        lease = attach(Path(directory), environ=os.environ, linger=0)
        try:
            found = Rig(lease.server.directory, lease.server.socket)
            yield found
            found.raw.close()
        finally:
            lease.close()
            stop(Path(directory), environ=os.environ)


def kilobyte_mails(session: str, sender: str, recipients: list[str], count: int) -> list[WireMail]:
    """Return message mails of about 1 KB, dealt to recipients in turn."""
    body = encode_json({"item": Instruction.create(instruction="x" * 500).to_dict()}, "message")
    return [
        WireMail(Header(session, sender, recipients[n % len(recipients)], "message", seq=n + 1), body)
        for n in range(count)
    ]


def run_fast(program: Callable[[], Awaitable[T]]) -> T:
    """Run a program as the command `lion-broker` would: with uvloop where it is installed."""
    return anyio.run(program, backend_options={"use_uvloop": find_spec("uvloop") is not None})
