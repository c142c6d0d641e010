"""taskiq with its Redis stream broker."""

from __future__ import annotations

from taskiq.api import run_receiver_task
from taskiq.serializers import ORJSONSerializer
from taskiq_redis import RedisStreamBroker

from .program import TEXT, Program, main


class Taskiq(Program):
    """Two tasks on two streams; acknowledged after execution, no result backend."""

    packages = "taskiq taskiq-redis redis hiredis uvloop orjson"
    settings = "RedisStreamBroker, xread_count 100, orjson, ack when executed, no results, no validation of parameters"
    uvloop = True

    async def open(self, role: str) -> None:
        answers = f"{self.queue}-answers"
        self.broker = RedisStreamBroker(
            self.url,
            queue_name=self.queue,
            consumer_id="0",
            additional_streams={answers: ">"} if self.relay else {},
        ).with_serializer(ORJSONSerializer())

        async def answer(n: int, text: str) -> None:
            self.done(n)

        async def item(n: int, text: str) -> None:
            if self.relay:
                await answering.kiq(n, text)
            else:
                self.done(n)

        answering = self.broker.register_task(answer, "answer", queue_name=answers)
        self.item = self.broker.register_task(item, "item")
        if role == "client":
            await self.broker.startup()

    async def enqueue(self, first: int, items: int, bulk: bool) -> None:
        for number in range(first, first + items):
            await self.item.kiq(number, TEXT)

    async def serve(self) -> None:
        self.broker.is_worker_process = True
        await self.broker.startup()
        self.begin()
        await run_receiver_task(self.broker, validate_params=False, max_async_tasks=100, max_prefetch=0)


if __name__ == "__main__":
    main(Taskiq)
