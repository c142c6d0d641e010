"""arq."""

from __future__ import annotations

from typing import Any

from arq import create_pool, func
from arq.connections import RedisSettings
from arq.worker import Worker

from .program import TEXT, Program, main

POLL_SECONDS = 0.005


class Arq(Program):
    """Two functions; a worker has one queue, so that answers go into the same one."""

    packages = "arq redis hiredis uvloop"
    settings = f"100 side by side, 1,000 a read, polls every {POLL_SECONDS * 1000:g} ms, keeps no results; one queue"
    uvloop = True

    async def open(self, role: str) -> None:
        place = RedisSettings(unix_socket_path=self.url.removeprefix("unix://"))
        self.pool = await create_pool(place, default_queue_name=self.queue)

    async def enqueue(self, first: int, items: int, bulk: bool) -> None:
        for number in range(first, first + items):
            await self.pool.enqueue_job("item", number, TEXT)

    async def serve(self) -> None:
        async def answer(context: dict[Any, Any], n: int, text: str) -> None:
            self.done(n)

        async def item(context: dict[Any, Any], n: int, text: str) -> None:
            if self.relay:
                await self.pool.enqueue_job("answer", n, text)
            else:
                self.done(n)

        worker = Worker(
            [func(item, name="item"), func(answer, name="answer")],
            queue_name=self.queue,
            redis_pool=self.pool,
            handle_signals=False,
            max_jobs=100,
            queue_read_limit=1000,
            poll_delay=POLL_SECONDS,
            keep_result=0,
            log_results=False,
        )
        self.begin()
        await worker.async_run()


if __name__ == "__main__":
    main(Arq)
