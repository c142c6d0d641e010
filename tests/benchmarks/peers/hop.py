"""The opponent that nobody beats: redis-py with streams and a group, pipelined by hand, and nothing around it."""

from __future__ import annotations

import asyncio
from typing import Any

import redis

from .program import PIECE, TEXT, Program, main

GROUP = "workers"


class Hop(Program):
    """XADD, XREADGROUP, XACK and XDEL, a hundred entries a round trip."""

    packages = "redis hiredis"
    settings = "redis-py, sync, pipelines of 100, XREADGROUP COUNT 100, XACK and XDEL"

    async def open(self, role: str) -> None:
        self.raw: Any = redis.Redis.from_url(self.url, protocol=2)
        if role == "worker":
            for name in (self.queue, self._answers):
                self.raw.xgroup_create(name, GROUP, id="0", mkstream=True)

    @property
    def _answers(self) -> str:
        return f"{self.queue}-answers"

    async def enqueue(self, first: int, items: int, bulk: bool) -> None:
        if bulk:
            for start in range(first, first + items, PIECE):
                self._add(self.queue, range(start, min(start + PIECE, first + items)))
            return
        for number in range(first, first + items):
            self.raw.xadd(self.queue, {"n": number, "text": TEXT})

    async def serve(self) -> None:
        self.begin()
        if self.stamp is not None:
            await asyncio.to_thread(self._listen)
        for start in range(0, self.items, PIECE):
            self._add(self.queue, range(start, min(start + PIECE, self.items)))
            numbers = self._take(self.queue)
            if self.relay:
                self._add(self._answers, numbers)
                numbers = self._take(self._answers)
            for number in numbers:
                self.done(number)

    def _add(self, name: str, numbers: Any) -> None:
        pipe = self.raw.pipeline(transaction=False)
        for number in numbers:
            pipe.xadd(name, {"n": number, "text": TEXT})
        pipe.execute()

    def _take(self, name: str) -> list[int]:
        ((_, entries),) = self.raw.xreadgroup(GROUP, "one", {name: ">"}, count=PIECE)
        ids = [entry for entry, _ in entries]
        pipe = self.raw.pipeline(transaction=False)
        pipe.xack(name, GROUP, *ids)
        pipe.xdel(name, *ids)
        pipe.execute()
        return [int(fields[b"n"]) for _, fields in entries]

    def _listen(self) -> None:
        while True:
            for _, entries in self.raw.xreadgroup(GROUP, "one", {self.queue: ">"}, count=1, block=0):
                for entry, fields in entries:
                    self.done(int(fields[b"n"]))
                    self.raw.xack(self.queue, GROUP, entry)


if __name__ == "__main__":
    main(Hop)
