"""A worker that counts its calls of Python and C functions for each mail, watched or not; prints JSON.

python -m tests.benchmarks.telemetry_calls none|prometheus|otel drain|relay

What else a machine does makes a turn's seconds more, and its calls no more, as long as no clock ends a turn.
"""

from __future__ import annotations

import json
import math
import sys
from types import FrameType

import anyio

from lion_broker import Branch, Mail, Registry, Session, Worker
from lion_broker.telemetry import written_down
from lion_broker.telemetry.counts import counting
from lion_broker.worker import account, prefetch, schedule

from .peers.observed import use_opentelemetry
from .rig import WrongResult

TURN = 100
"""Mails of a turn, and of a branch."""
TURNS = 30
WATCHES = {"none": lambda: None, "prometheus": counting, "otel": use_opentelemetry}

registry = Registry()


@registry.behaviour("relay", record=False)
async def relay(branch: Branch, mail: Mail) -> None:
    """Send on what came."""
    branch.send("sink", "message", mail.package.item)


class Calls:
    """Counts calls in this thread while it is entered."""

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> Calls:
        sys.setprofile(self._note)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _note(self, frame: FrameType, event: str, argument: object) -> None:
        if event in ("call", "c_call"):
            self.count += 1


async def main(watch: str, work: str) -> None:
    """Count twice, and print the second time: by then whatever is made once is there."""
    schedule._LONG_SLICE = account._APART_SECONDS = math.inf  # type: ignore[misc]
    prefetch._AHEAD_SECONDS = prefetch._UNTRIED = written_down._MOST_SECONDS = math.inf  # type: ignore[misc,assignment]
    WATCHES[watch]()
    await _count(work)
    print(json.dumps(await _count(work)))


async def _count(work: str) -> dict[str, float]:
    mails = TURNS * TURN
    async with Session(delivery="auto") as session:
        await session.anew_branch(name="sink", pool="nobody")
        behaviour = "relay" if work == "relay" else None
        branches = [await session.anew_branch(pool="counted", behaviour=behaviour) for _ in range(TURNS)]
        async with session.batch():
            for number in range(mails):
                await session.default_branch.asend(branches[number // TURN], "message", "x" * 1000)
        async with Worker(registry, pool="counted", batch=TURN) as worker:
            with Calls() as calls:
                await worker.run(until_idle=True)
            state = worker.state
        session.delete()
    if (state.mails, state.turns) != (mails, TURNS):
        raise WrongResult(f"TELEMETRY: {state.mails} mails in {state.turns} turns, not {mails} in {TURNS}.")
    return {"calls": calls.count / mails}


if __name__ == "__main__":
    anyio.run(main, sys.argv[1], sys.argv[2])
