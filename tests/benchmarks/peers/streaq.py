"""streaQ."""

from __future__ import annotations

from typing import Any

from streaq import Worker

from .program import PIECE, TEXT, Program, main

CONCURRENCY = 64


class Streaq(Program):
    """Two tasks; a worker has one queue, so that answers go into the same one."""

    packages = "streaq coredis hiredis uvloop"
    settings = f"{CONCURRENCY} side by side, keeps no results, logs nothing; one queue"
    uvloop = True

    async def open(self, role: str) -> None:
        self.worker: Any = Worker(
            redis_url=self.url, queue_name=self.queue, concurrency=CONCURRENCY, handle_signals=False
        )

        async def answer(n: int, text: str) -> None:
            self.done(n)

        async def item(n: int, text: str) -> None:
            if self.relay:
                await self.answer.enqueue(n, text)
            else:
                self.done(n)

        self.answer = self.worker.task(ttl=0, silent=True, name="answer")(answer)
        self.item = self.worker.task(ttl=0, silent=True, name="item")(item)
        if role == "client":
            await self.worker.__aenter__()

    async def enqueue(self, first: int, items: int, bulk: bool) -> None:
        if bulk:
            for start in range(first, first + items, PIECE):
                numbers = range(start, min(start + PIECE, first + items))
                await self.worker.enqueue_many([self.item.enqueue(number, TEXT) for number in numbers])
            return
        for number in range(first, first + items):
            await self.item.enqueue(number, TEXT)

    async def serve(self) -> None:
        self.begin()
        await self.worker.run_async()


if __name__ == "__main__":
    main(Streaq)
