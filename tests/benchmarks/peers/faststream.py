"""FastStream with Redis streams and a consumer group: a handler per item, or one per batch."""

from __future__ import annotations

import asyncio
from typing import Any

from faststream.redis import RedisBroker, StreamSub

from .program import PIECE, TEXT, Program, main


class FastStream(Program):
    """Two subscribers on two streams; the second one takes the answers."""

    packages = "faststream redis hiredis uvloop"
    settings = (
        "consumer group, up to 100 entries a read, acknowledged after the handler, no validation of types, no logger"
    )
    uvloop = True

    async def open(self, role: str) -> None:
        self.broker = RedisBroker(self.url, logger=None, apply_types=False)
        await self.broker.connect()

    @property
    def _answers(self) -> str:
        return f"{self.queue}-answers"

    async def enqueue(self, first: int, items: int, bulk: bool) -> None:
        if not bulk:
            for number in range(first, first + items):
                await self.broker.publish({"n": number, "text": TEXT}, stream=self.queue)
            return
        for start in range(first, first + items, PIECE):
            numbers = range(start, min(start + PIECE, first + items))
            await self._publish([{"n": number, "text": TEXT} for number in numbers], self.queue)

    async def _publish(self, items: list[dict[str, Any]], stream: str) -> None:
        async with self.broker._connection.pipeline(transaction=False) as pipe:
            for item in items:
                await self.broker.publish(item, stream=stream, pipeline=pipe)
            await pipe.execute()

    async def serve(self) -> None:
        batch = self.variant == "batch"
        for stream, handle in ((self.queue, self._on_item), (self._answers, self._on_answer)):
            batched = self._on_items if stream == self.queue else self._on_answers
            source = StreamSub(stream, group="workers", consumer="one", last_id="0", max_records=PIECE, batch=batch)
            self.broker.subscriber(stream=source)(batched if batch else handle)
        self.begin()
        await self.broker.start()
        await asyncio.Event().wait()

    async def _on_item(self, item: dict[str, Any]) -> None:
        if self.relay:
            await self.broker.publish(item, stream=self._answers)
        else:
            self.done(item["n"])

    async def _on_answer(self, item: dict[str, Any]) -> None:
        self.done(item["n"])

    async def _on_items(self, items: list[dict[str, Any]]) -> None:
        if self.relay:
            await self._publish(items, self._answers)
        else:
            await self._on_answers(items)

    async def _on_answers(self, items: list[dict[str, Any]]) -> None:
        for item in items:
            self.done(item["n"])


if __name__ == "__main__":
    main(FastStream)
