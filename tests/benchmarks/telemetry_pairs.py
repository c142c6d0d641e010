"""A worker's CPU for a mail, watched and not, in slices that follow one another in one process; prints JSON.

python -m tests.benchmarks.telemetry_pairs drain|relay together|apart ROUNDS

Two processes of the same program differ by more than what is looked for here, and so do two halves of a minute. So one
worker after the other drains a slice in one process, each watched in another way, every other round in reverse, and a
slice is compared with those of its round. One way is to watch nothing, twice: that shows the noise.
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import nullcontext

from lion_broker import Branch, Mail, Registry, Session, Worker
from lion_broker.telemetry import counts, otel
from lion_broker.worker import collector

from .peers.observed import providers
from .rig import WrongResult, run_fast

WATCHES = ("none", "again", "otel", "prometheus")
BRANCHES = 20
EACH = 100
WARM = 2
"""Rounds that are not counted: what is made once is there afterwards."""

registry = Registry()


@registry.behaviour("relay", record=False)
async def relay(branch: Branch, mail: Mail) -> None:
    """Send on what came, to a branch that the same worker drains."""
    branch.send(branch.metadata["to"], "message", mail.package.item)


class Watching:
    """Switches between the ways of watching this process; each is made once."""

    def __init__(self) -> None:
        with otel.used(*providers()):
            self._otel = otel._active
        self._counts = counts.counting()

    def by(self, watch: str) -> None:
        """Watch like that from now on."""
        otel._active = self._otel if watch == "otel" else None
        counts._counts = self._counts if watch == "prometheus" else None


async def measure(work: str, apart: bool, rounds: int) -> dict[str, list[float]]:
    """Return the µs of CPU of each slice, by the way of watching, in the order of the rounds."""
    watching, found = Watching(), {watch: list[float]() for watch in WATCHES}
    async with Session(delivery="auto") as session:
        collector.settle()  # as the command `lion-broker worker` does
        for number in range(rounds + WARM):
            for watch in WATCHES[::-1] if number % 2 else WATCHES:
                watching.by(watch)
                cost = await _slice(session, work, apart, f"{number}-{watch}")
                if number >= WARM:
                    found[watch].append(cost)
        session.delete()
    return found


async def _slice(session: Session, work: str, apart: bool, pool: str) -> float:
    """Fill a few branches, and drain them with a worker of their own."""
    plain = [await session.anew_branch(pool=pool) for _ in range(BRANCHES)]
    asked = plain
    if work == "relay":
        asked = [await session.anew_branch(pool=pool, behaviour="relay", metadata={"to": one.id}) for one in plain]
    async with nullcontext() if apart else session.batch():
        for number in range(BRANCHES * EACH):
            await session.default_branch.asend(asked[number % BRANCHES], "message", "x" * 1000)
    began = time.process_time()
    async with Worker(registry, pool=pool) as worker:
        await worker.run(until_idle=True)
    # What a worker tells when it stops is part of what it costs.
    cost = time.process_time() - began
    mails = BRANCHES * EACH * (2 if work == "relay" else 1)
    if worker.state.mails != mails:
        raise WrongResult(f"TELEMETRY: {worker.state.mails} mails of {mails}.")
    return cost / mails * 1e6


if __name__ == "__main__":
    what, how, times = sys.argv[1:4]
    print(json.dumps(run_fast(lambda: measure(what, how == "apart", int(times)))))
