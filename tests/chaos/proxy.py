"""A TCP proxy before a real server that harms connections on command, and counts what it has done.

    with Proxy(server.port) as proxy:
        session = Session(exchange=RedisExchange(proxy.url, secret))
        proxy.drop_answer(b"_commit")        # the next commit is made, and nobody hears of it

Every command works on all connections, or on those that `which` chooses. What is held in a black hole flows on when
the proxy heals, as packets do that a network has kept: a request may reach the server after its sender has given up.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import threading
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self, TypeVar

__all__ = ["Link", "Proxy", "Way"]

T = TypeVar("T")

HOST = "127.0.0.1"
_CHUNK = 65_536
_LONGEST_PATTERN = 64


class Way(StrEnum):
    """Which way bytes go."""

    REQUEST = "request"
    ANSWER = "answer"


@dataclass(slots=True, eq=False)
class Link:
    """One connection through the proxy: what was asked last, and whether that is unanswered."""

    number: int
    client: tuple[asyncio.StreamReader, asyncio.StreamWriter]
    server: tuple[asyncio.StreamReader, asyncio.StreamWriter]
    gates: dict[Way, asyncio.Event]
    asked: bytes = b""
    waiting: bool = False
    requests: int = 0
    doom: Rule | None = None
    halved: bool = False

    def close(self) -> None:
        """Cut both sides at once."""
        for _, writer in (self.client, self.server):
            writer.transport.abort()

    def ends(self, way: Way) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Where bytes come from and where they go."""
        one, other = (self.client, self.server) if way == Way.REQUEST else (self.server, self.client)
        return one[0], other[1]


Which = Callable[[Link], bool]


@dataclass(slots=True)
class Rule:
    """Swallow the request that has a pattern in it, or its answer, and cut the connection."""

    way: Way
    pattern: bytes
    left: int
    longer_than: int
    which: Which


def _all(link: Link) -> bool:
    return True


@dataclass
class Proxy:
    """Stands between clients and the server at a port of this machine; runs in a thread of its own.

    `injected` counts the faults that met a connection, by their names; `accepted` the connections that were made,
    `asked` the requests that came. `dice` chooses where the caller leaves it open.
    """

    target: int
    dice: random.Random = field(default_factory=random.Random)
    injected: Counter[str] = field(default_factory=Counter)
    accepted: int = 0
    asked: int = 0
    port: int = 0
    _links: dict[int, Link] = field(default_factory=dict)
    _rules: list[Rule] = field(default_factory=list)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)
    _longest_delay: float = 0.0
    _held: frozenset[Way] = frozenset()
    _slams: bool = False
    _listener: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        """What clients connect to."""
        return f"redis://{HOST}:{self.port}"

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._do(self._listen())
        return self

    def __exit__(self, *raised: object) -> None:
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def links(self, which: Which = _all) -> list[Link]:
        """Return the connections that are open now."""
        return [link for link in list(self._links.values()) if which(link)]

    def cut(self, which: Which = _all) -> int:
        """Cut connections, with what is on its way; returns how many."""
        return self._on_each(which, Link.close, "cut")

    def cut_one(self, which: Which = _all) -> int:
        """Cut one connection, of those that wait for an answer if there are any; returns how many: 1, or 0."""
        found = self.links(which)
        found = [link for link in found if link.waiting] or found
        if not found:
            return 0
        chosen = self.dice.choice(found)
        return self.cut(lambda link: link is chosen)

    def drop_answer(self, pattern: bytes, times: int = 1, longer_than: int = 0, which: Which = _all) -> None:
        """Pass on the next requests that have a pattern in them, but not the answers: then cut the connection.

        Answers of no more than `longer_than` bytes are let through; a read that found nothing is none to lose.
        """
        self._do(self._add(Rule(Way.ANSWER, pattern, times, longer_than, which)))

    def drop_request(self, pattern: bytes, times: int = 1, which: Which = _all) -> None:
        """Swallow the next requests that have a pattern in them, and cut the connection."""
        self._do(self._add(Rule(Way.REQUEST, pattern, times, 0, which)))

    def delay(self, longest: float) -> None:
        """Let every piece of every way take up to so many seconds from now on; 0 ends it."""
        self._longest_delay = longest
        self.injected["delayed"] += bool(longest)

    def hold(self, *ways: Way, which: Which = _all, new: bool = True) -> int:
        """Swallow what comes, both ways or one, until `heal`: the connections stand and say nothing.

        With `new`, connections that are made from now on as well. Returns how many stand still.
        """
        chosen = frozenset(ways or Way)
        if new:
            self._held = chosen

        def stop(link: Link) -> None:
            for way in chosen:
                link.gates[way].clear()

        return self._on_each(which, stop, "black hole")

    def heal(self) -> None:
        """End delays, black holes, slammed doors and rules; what was held flows on."""
        self._do(self._heal())

    def halve(self, end: Way, which: Which = _all) -> int:
        """Close the side of the server (its answers end), or of the client, and leave the other one open and silent."""

        def half(link: Link) -> None:
            link.halved = True
            (link.server if end == Way.ANSWER else link.client)[1].transport.abort()

        return self._on_each(which, half, f"half-open, {end}")

    def slam(self, shut: bool = True) -> None:
        """Close every connection, and each new one as soon as it is made, as long as the door is shut."""
        self._slams = shut
        if shut:
            self.cut()

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _on_each(self, which: Which, harm: Callable[[Link], None], name: str) -> int:
        async def work() -> int:
            chosen = self.links(which)
            for link in chosen:
                harm(link)
            self.injected[name] += len(chosen)
            return len(chosen)

        return self._do(work())

    async def _listen(self) -> None:
        self._listener = await asyncio.start_server(self._serve, HOST, self.port)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        if self._listener is not None:
            self._listener.close()
        await self._heal()
        for link in self.links():
            link.close()
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _heal(self) -> None:
        self._held, self._slams, self._longest_delay = frozenset(), False, 0.0
        self._rules.clear()
        for link in self.links():
            for gate in link.gates.values():
                gate.set()

    async def _add(self, rule: Rule) -> None:
        self._rules.append(rule)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.accepted += 1
        if self._slams:
            self.injected["slammed"] += 1
            writer.transport.abort()
            return
        try:
            server = await asyncio.open_connection(HOST, self.target)
        except OSError:
            writer.transport.abort()
            return
        gates = {way: asyncio.Event() for way in Way}
        for way in Way:
            if way not in self._held:
                gates[way].set()
        link = Link(next(self._numbers), (reader, writer), server, gates)
        self._links[link.number] = link
        try:
            await asyncio.gather(*(self._pump(link, way) for way in Way))
        finally:
            del self._links[link.number]
            link.close()

    async def _pump(self, link: Link, way: Way) -> None:
        reader, writer = link.ends(way)
        try:
            while chunk := await reader.read(_CHUNK):
                await link.gates[way].wait()
                if self._longest_delay:
                    await asyncio.sleep(self.dice.uniform(0, self._longest_delay))
                if not (self._request(link, chunk) if way == Way.REQUEST else self._answer(link, chunk)):
                    break
                if not link.halved:
                    writer.write(chunk)
                    await writer.drain()
            # The end of a connection travels as its bytes do: not through a black hole.
            await link.gates[way].wait()
        except OSError:
            pass
        if not link.halved:
            link.close()

    def _request(self, link: Link, chunk: bytes) -> bool:
        """Take note of a request; False when it is to be swallowed."""
        text = link.asked[-_LONGEST_PATTERN:] + chunk if link.waiting else chunk
        link.doom = link.doom if link.waiting else None
        link.asked, link.waiting = text, True
        link.requests += 1
        self.asked += 1
        rule = next((rule for rule in self._rules if rule.left and rule.pattern in text and rule.which(link)), None)
        if rule is not None and rule.way == Way.REQUEST:
            rule.left -= 1
            self.injected["request dropped"] += 1
            return False
        link.doom = rule or link.doom
        return True

    def _answer(self, link: Link, chunk: bytes) -> bool:
        """Take note of an answer; False when it is to be swallowed."""
        rule = link.doom
        if rule is not None and rule.left and len(chunk) > rule.longer_than:
            rule.left -= 1
            self.injected["answer dropped"] += 1
            return False
        link.waiting = False
        return True
