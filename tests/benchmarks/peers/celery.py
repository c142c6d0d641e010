"""Celery with Redis: a pool of threads, or of processes."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from typing import Any

import billiard
from celery import Celery

from .program import TEXT, Program, main

CONCURRENCY = {"threads": 8, "prefork": 4}


class CeleryApp(Program):
    """Two tasks on two queues; with prefork the handlers count in shared memory, and the parent looks."""

    packages = "celery kombu billiard redis hiredis"
    settings = "8 threads or 4 processes, no results, acks late, prefetch 100 a slot, no gossip, mingle or heartbeat"

    async def open(self, role: str) -> None:
        self.app: Any = Celery("bench", broker=self.url.replace("unix://", "redis+socket://"))
        self.app.conf.update(
            task_ignore_result=True,
            task_acks_late=True,
            worker_prefetch_multiplier=100,
            worker_hijack_root_logger=False,
            task_default_queue=self.queue,
            task_routes={"answer": {"queue": f"{self.queue}-answers"}},
            broker_connection_retry_on_startup=True,
        )
        self.forks = self.variant == "prefork" and self.work != "latency"
        if self.forks:
            self.counted: Any = multiprocessing.Value("q", 0)

        def answer(n: int, text: str) -> None:
            self._count(n)

        def item(n: int, text: str) -> None:
            if self.relay:
                self.answer.delay(n, text)
            else:
                self._count(n)

        self.answer = self.app.task(name="answer")(answer)
        self.item = self.app.task(name="item")(item)

    async def enqueue(self, first: int, items: int, bulk: bool) -> None:
        for number in range(first, first + items):
            self.item.delay(number, TEXT)

    async def serve(self) -> None:
        worker = self.app.WorkController(
            ready_callback=lambda consumer: self.begin(),
            pool=self.variant,
            concurrency=CONCURRENCY[self.variant],
            queues=[self.queue, f"{self.queue}-answers"],
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
        )
        running = asyncio.ensure_future(asyncio.to_thread(worker.start))
        while self.forks and self.counted.value < self.items:  # noqa: ASYNC110  it is counted in other processes
            await asyncio.sleep(0.002)
        if self.forks:
            self.finish()
        await running

    def cpu(self) -> float:
        return time.process_time() + sum(_cpu_of(child.pid) for child in billiard.active_children())

    def _count(self, item: int) -> None:
        if not self.forks:
            self.done(item)
            return
        with self.counted.get_lock():
            self.counted.value += 1


def _cpu_of(process: int) -> float:
    # Linux has a clock for the CPU time of each process; MAKE_PROCESS_CPUCLOCK in the kernel's sources.
    return time.clock_gettime((~process << 3) | 2)


if __name__ == "__main__":
    main(CeleryApp)
