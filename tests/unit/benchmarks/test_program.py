"""What all measured programs share counts each item once, takes its times, and says what went wrong."""

import asyncio
from typing import Any

import pytest

from tests.benchmarks.peers.program import Program


class InMemory(Program):
    """A system without a server: items are in a list, and its worker hands them over twice."""

    lost = 0

    async def open(self, role: str) -> None:
        self.waiting: list[int] = []

    async def enqueue(self, first: int, items: int, bulk: bool) -> None:
        self.waiting += range(first, first + items)

    async def serve(self) -> None:
        self.begin()
        while self.stamp is not None:
            await asyncio.sleep(0)
            while self.waiting:
                self.done(self.waiting.pop())
        for item in self.waiting[self.lost :]:
            self.done(item)
            self.done(item)


async def told(program: Program, *orders: dict[str, Any]) -> list[dict[str, Any]]:
    """The answers of a program to orders."""
    answers: list[dict[str, Any]] = []
    opening = {"order": "open", "queue": "q", "role": "client", "work": "drain", "items": 10}
    for order in (opening, *orders):
        await program.obey(order, lambda **answer: answers.append(answer))
    return answers[1:]


ENQUEUE = {"order": "enqueue", "items": 10, "bulk": False}


def test_a_drain_ends_with_the_last_item() -> None:
    """Items that come twice count once; the times lie in order and the seconds are between them."""
    fed, ready, drained, checked = asyncio.run(told(InMemory("", "-"), ENQUEUE, {"order": "drain"}, {"order": "check"}))
    assert ready == {"ready": True}
    assert fed["began"] <= fed["ended"] <= drained["began"] <= drained["ended"]
    assert drained["seconds"] == (drained["ended"] - drained["began"]) / 1e9
    assert checked == {"wrong": ""}


def test_a_lost_item_is_an_error() -> None:
    """A worker that ends before the last item is not measured."""
    program = InMemory("", "-")
    program.lost = 1
    with pytest.raises(RuntimeError, match="before the last item"):
        asyncio.run(told(program, ENQUEUE, {"order": "drain"}))


def test_one_process_can_ping_itself() -> None:
    """Published and begun in one process: as many times as items."""
    (answer,) = asyncio.run(told(InMemory("", "-"), {"order": "ping", "items": 3}))
    assert len(answer["seconds"]) == 3
    assert all(seconds >= 0 for seconds in answer["seconds"])


def test_an_unknown_order_is_refused() -> None:
    """A driver of another version is noticed."""
    with pytest.raises(ValueError, match="unknown order"):
        asyncio.run(told(InMemory("", "-"), {"order": "dance"}))
