"""A worker process that does so many mails of a pool and prints its memory as JSON.

python -m tests.benchmarks.growth_worker POOL MAILS
"""

from __future__ import annotations

import json
import sys
import time

import anyio

from lion_broker import Registry, Worker


async def main(pool: str, mails: int) -> None:
    """Serve a pool until so many mails are done."""
    async with Worker(Registry(), pool=pool) as worker:
        before = _most()
        begin, cpu = time.perf_counter(), time.process_time()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(worker.run)
            while worker.state.mails < mails:  # noqa: ASYNC110  a worker tells nobody how far it is
                await anyio.sleep(0.002)
            found = {"seconds": time.perf_counter() - begin, "cpu": time.process_time() - cpu}
            worker.stop()
    print(json.dumps({**found, "memory": _most() - before}))


def _most() -> int:
    """The most bytes of memory that this process has had; getrusage would count its parent's until the exec."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))


if __name__ == "__main__":
    anyio.run(main, sys.argv[1], int(sys.argv[2]))
