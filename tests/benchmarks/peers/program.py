"""What all measured programs share: orders come in as lines of JSON, answers go out as lines of JSON.

After its start a program says `{"versions": …, "settings": …}`. Then it is told, one order a line:

    {"order": "open", "queue": …, "role": …, "work": …, "items": n}     connect; nothing of it is measured
    {"order": "enqueue", "items": n, "bulk": bool}     → times and CPU seconds of putting so many items in
    {"order": "drain"}                                 → ready; then times and CPU seconds until all items are done
    {"order": "check"}                                 → what is wrong with the outcome, if anything
    {"order": "listen"}                                → ready; then a time stamp for each item that is begun
    {"order": "publish"}                               → the time stamp before one item was published
    {"order": "ping", "items": n}                      → the seconds of each, published and begun in one process
    {"order": "cpu"}                                   → CPU seconds until now

A role is client, worker or hub; a work is drain, handle (the same, with a function where items need none), relay
(each item is answered), latency, or round (mail of all to all).
Times are CLOCK_MONOTONIC in nanoseconds, which all processes of a machine share.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TextIO

TEXT = "x" * 1000
# How many items go out in one round trip, where a system has a way to do that.
PIECE = 100
_QUIET = 0.005


class Program(ABC):
    """One system in one role; `queue` is a name that nobody has used before."""

    packages = ""
    settings = ""
    uvloop = False

    def __init__(self, url: str, variant: str) -> None:
        self.url = url
        self.variant = variant
        self.queue = ""
        self.work = ""
        self.items = 0
        self.began = 0
        self.ended = 0
        self.cpu_began = 0.0
        self.cpu_ended = 0.0
        self.stamp: Callable[[int], object] | None = None
        self._finished = asyncio.Event()
        self._seen = bytearray()
        self._numbers = itertools.count(1)
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def relay(self) -> bool:
        """Whether each item is to be answered by another one, into a second queue that is drained as well."""
        return self.work == "relay"

    @abstractmethod
    async def open(self, role: str) -> None:
        """Connect, and declare what has to exist before items can be put in; not measured."""

    @abstractmethod
    async def enqueue(self, first: int, items: int, bulk: bool) -> None:
        """Put items numbered from `first` into the queue, each with TEXT; `bulk` is the fastest way that there is."""

    @abstractmethod
    async def serve(self) -> None:
        """Work: call `begin` when items can come, and `done` in the handler of each; with `relay` of the answers."""

    async def check(self) -> str:
        """Return what is wrong with the outcome, as the client sees it; empty when nothing is."""
        return ""

    def cpu(self) -> float:
        """Return the CPU seconds of this process, and of those that it has started for its work."""
        return time.process_time()

    def extra(self) -> dict[str, float]:
        """Return further figures of a drain."""
        return {}

    def begin(self) -> None:
        """Take the time: from now on items are worked on."""
        self.ended = 0
        self.began, self.cpu_began = time.monotonic_ns(), self.cpu()

    def done(self, item: int) -> None:
        """Count one item; a handler calls it, from any thread, with the number that came in the item."""
        if self.stamp is not None:
            self.stamp(time.monotonic_ns())
            return
        if not self._seen[item]:
            self._seen[item] = 1
            if next(self._numbers) == self.items:
                self.finish()

    def finish(self) -> None:
        """Take the time: all items are done."""
        self.ended, self.cpu_ended = time.monotonic_ns(), self.cpu()
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._finished.set)

    async def drain(self, ready: Callable[[], object]) -> dict[str, float]:
        """Serve until all items are done; a server that ends before that is an error."""
        ready()
        serving = asyncio.ensure_future(self.serve())
        finished = asyncio.ensure_future(self._finished.wait())
        await asyncio.wait((serving, finished), return_when=asyncio.FIRST_COMPLETED)
        finished.cancel()
        if not self.ended:
            await serving
            raise RuntimeError("the worker ended before the last item")
        serving.cancel()
        return {**self._cost(), **self.extra()}

    async def measure_enqueue(self, items: int, bulk: bool) -> dict[str, float]:
        """Enqueue and say what it cost."""
        self.begin()
        await self.enqueue(0, items, bulk)
        self.ended, self.cpu_ended = time.monotonic_ns(), self.cpu()
        return self._cost()

    async def ping(self, items: int) -> list[float]:
        """Publish one item at a time and return the seconds until the handler of each began."""
        arrived = asyncio.Queue[int]()
        self.stamp = arrived.put_nowait
        serving = asyncio.ensure_future(self.serve())
        seconds = []
        for number in range(items):
            await asyncio.sleep(_QUIET)
            begun = time.monotonic_ns()
            await self.enqueue(number, 1, bulk=False)
            seconds.append((await arrived.get() - begun) / 1e9)
        serving.cancel()
        return seconds

    def _cost(self) -> dict[str, float]:
        return {
            "began": self.began,
            "ended": self.ended,
            "seconds": (self.ended - self.began) / 1e9,
            "cpu": self.cpu_ended - self.cpu_began,
        }

    async def obey(self, said: dict[str, Any], say: Callable[..., object]) -> None:
        """Carry out one order and say the answer."""
        match said:
            case {"order": "open"}:
                self.queue, self.work, self.items = said["queue"], said["work"], said["items"]
                self._seen = bytearray(self.items)
                self._loop = asyncio.get_running_loop()
                await self.open(said["role"])
                say(opened=True)
            case {"order": "enqueue"}:
                say(**await self.measure_enqueue(said["items"], said["bulk"]))
            case {"order": "drain"}:
                say(**await self.drain(lambda: say(ready=True)))
            case {"order": "listen"}:
                self.stamp = lambda at: say(at=at)
                serving = asyncio.ensure_future(self.serve())
                while not self.began:  # noqa: ASYNC110  workers begin in threads too
                    await asyncio.sleep(_QUIET)
                say(ready=True)
                await serving
            case {"order": "publish"}:
                at = time.monotonic_ns()
                await self.enqueue(0, 1, bulk=False)
                say(at=at)
            case {"order": "ping"}:
                say(seconds=await self.ping(said["items"]))
            case {"order": "cpu"}:
                say(cpu=self.cpu())
            case {"order": "check"}:
                say(wrong=await self.check())
            case _:
                raise ValueError(f"unknown order: {said}")


def main(program: type[Program]) -> None:
    """Run a program until its stdin ends: `python -m tests.benchmarks.peers.<name> URL VARIANT`."""
    # What a library prints must not get between the answers.
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    url, variant = sys.argv[1:3]
    factory = None
    if program.uvloop:
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner, suppress(KeyboardInterrupt):
        runner.run(_converse(program, url, variant, out))


async def _converse(program: type[Program], url: str, variant: str, out: TextIO) -> None:
    def say(**answer: object) -> None:
        out.write(json.dumps(answer) + "\n")
        out.flush()

    peer = program(url, variant)
    say(versions=_versions(peer.packages.split()), settings=peer.settings)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        await peer.obey(json.loads(line), say)
    # A worker in full swing is not asked to stop: what it was measured for is done.
    os._exit(0)


def _versions(packages: Sequence[str]) -> dict[str, str]:
    found = {"python": sys.version.split()[0]}
    for package in packages:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found
