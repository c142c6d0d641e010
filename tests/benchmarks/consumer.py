"""A worker process that drains a pool and prints what that cost as JSON: mails, seconds, CPU seconds."""

from __future__ import annotations

import json
import sys
import time
from functools import partial

import anyio

from lion_broker import Registry, Worker

from .rig import run_fast


async def drain(pool: str, mails: int) -> None:
    """Serve a pool until so many mails are done."""
    async with Worker(Registry(), pool=pool) as worker:
        start, cpu = time.perf_counter(), time.process_time()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(worker.run)
            while worker.state.mails < mails:  # noqa: ASYNC110  a worker tells nobody how far it is
                await anyio.sleep(0.002)
            cost = {"seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu}
            worker.stop()
        print(json.dumps({"mails": worker.state.mails, "turns": worker.state.turns, **cost}))


if __name__ == "__main__":
    run_fast(partial(drain, sys.argv[1], int(sys.argv[2])))
