"""M1: a thousand branches that ask a model at once, beside bare httpx in the same run."""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import anyio
import httpx

from lion_broker import Branch, iModel

from .rig import Figure

CALLS = 1000
LATENCY = 0.2
QUESTION = "What is a lion?"


def thinking(rounds: int) -> list[Figure]:
    """Seconds until all have their answers; the server takes 200 ms for each and is a process of its own."""
    ours, bare, cpu = [], [], []
    with _server() as url:
        model = iModel("openai", "any", base_url=url, api_key="key")
        anyio.run(_ours, model)
        before = _memory()
        for _ in range(rounds):
            bare.append(anyio.run(_bare, url))
            started = time.process_time()
            ours.append(anyio.run(_ours, model))
            cpu.append((time.process_time() - started) / CALLS * 1e6)
        grown = _memory() - before
    took, opponent = statistics.median(ours), statistics.median(bare)
    return [
        Figure(
            "M1",
            "1,000 communicate at once, a server of 200 ms",
            took,
            "s",
            "within 10 % of 0.2",
            at_most=0.22,
            samples=tuple(ours),
        ),
        Figure("M1", "the same with bare httpx", opponent, "s", "the opponent", samples=tuple(bare)),
        Figure("M1", "ours / bare httpx", took / opponent, "ratio", ""),
        Figure("M1", "CPU of a call", statistics.median(cpu), "µs", ""),
        Figure("M1", f"memory that {rounds} rounds have added", grown, "MB", "flat"),
    ]


async def _ours(model: iModel) -> float:
    branches = [Branch(system="Be brief.", chat_model=model) for _ in range(CALLS)]
    return await _all(lambda place: branches[place].communicate(QUESTION))


async def _bare(url: str) -> float:
    said = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": QUESTION}]
    body = {"model": "any", "messages": said}
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(limits=limits, timeout=60, headers={"authorization": "Bearer key"}) as client:

        async def post(place: int) -> None:
            answer = await client.post(f"{url}/chat/completions", json=body)
            json.loads(answer.content)["choices"][0]["message"]["content"]

        return await _all(post)


async def _all(call: Callable[[int], Coroutine[Any, Any, object]]) -> float:
    begin = time.perf_counter()
    async with anyio.create_task_group() as group:
        for place in range(CALLS):
            group.start_soon(call, place)
    return time.perf_counter() - begin


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@contextmanager
def _server() -> Iterator[str]:
    command = [sys.executable, "-m", "tests.benchmarks.model_server", str(LATENCY)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.stdin.close()
