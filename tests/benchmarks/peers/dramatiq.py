"""dramatiq with its Redis broker."""

from __future__ import annotations

import asyncio
from typing import Any

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from .program import TEXT, Program, main

THREADS = {"default": 8, "many": 32}


class Dramatiq(Program):
    """Two actors on two queues."""

    packages = "dramatiq redis hiredis"
    settings = "RedisBroker, no middleware; 8 threads are the default, with more than 32 it gets no faster"

    async def open(self, role: str) -> None:
        self.broker: Any = RedisBroker(url=self.url, middleware=[], namespace=self.queue)

        def answer(n: int, text: str) -> None:
            self.done(n)

        def item(n: int, text: str) -> None:
            if self.relay:
                answering.send(n, text)
            else:
                self.done(n)

        answering: Any = dramatiq.actor(answer, queue_name="answers", broker=self.broker)
        self.item: Any = dramatiq.actor(item, queue_name="items", broker=self.broker)

    async def enqueue(self, first: int, items: int, bulk: bool) -> None:
        for number in range(first, first + items):
            self.item.send(number, TEXT)

    async def serve(self) -> None:
        self.begin()
        dramatiq.Worker(self.broker, worker_threads=THREADS[self.variant]).start()
        await asyncio.Event().wait()


if __name__ == "__main__":
    main(Dramatiq)
