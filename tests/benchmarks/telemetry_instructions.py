"""Instructions of a worker's process for each mail, with and without telemetry, counted by valgrind.

python -m tests.benchmarks.telemetry_instructions [--turn 100] [--branch 100] [--runs 3] [--works drain relay]
    [--watches otel] [--apart]

What else a machine does makes a program's seconds more, and hardly its instructions. Each worker is counted twice, with
few mails and with many, so that what it takes to start and to stop is left out. What the kernel does for it, such as
sending, is not in it. Valgrind has no instructions for hashes, as processors do: what signs mail counts for more.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import anyio

from lion_broker import Branch, Mail, Registry, Session, Worker
from lion_broker.telemetry import written_down
from lion_broker.worker import account, prefetch, schedule

from .rig import Rig, WrongResult, rig
from .telemetry_calls import WATCHES

FEW = 1_000
MANY = {"drain": 12_000, "relay": 4_000}
"""To start takes as much as to drain twenty thousand mails, and not always the same: so few mails would show that."""
POOL = "counted"
VALGRIND = ("valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null")

registry = Registry()


@registry.behaviour("relay", record=False)
async def relay(branch: Branch, mail: Mail) -> None:
    """Send on what came."""
    branch.send("sink", "message", mail.package.item)


def main() -> None:
    """Be one of the parts, or count and print."""
    words = sys.argv[1:]
    if words[:1] == ["fill"]:
        anyio.run(_fill, words[1], words[2], int(words[3]), int(words[4]), words[5] == "apart")
    elif words[:1] == ["drain"]:
        anyio.run(_drain, words[1], int(words[2]), int(words[3]))
    else:
        _compare()


def _compare() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--turn", type=int, default=100, help="mails of a turn")
    options.add_argument("--branch", type=int, default=100, help="mails of a branch")
    options.add_argument("--runs", type=int, default=3, help="the least of so many counts; what clocks decide adds")
    options.add_argument("--works", nargs="*", default=["drain", "relay"])
    options.add_argument("--watches", nargs="*", default=["prometheus", "otel"])
    options.add_argument("--apart", action="store_true", help="mails that were sent one by one, each with its trace")
    asked = options.parse_args()
    with rig() as server:
        for work in asked.works:
            case = Case(work, asked.turn, asked.branch, asked.apart)
            bare = instructions(server, "none", case, asked.runs)
            print(f"{work:<6} in turns of {asked.turn}, without: {bare:,.0f} instructions a mail", flush=True)
            for watch in asked.watches:
                ratio = instructions(server, watch, case, asked.runs) / bare
                print(f"{work:<6} in turns of {asked.turn}, {watch}: {ratio:.3f} times", flush=True)


@dataclass(frozen=True)
class Case:
    """What is counted: mails of a turn, of a branch, and whether each was sent by itself."""

    work: str
    turn: int
    branch: int
    apart: bool = False


def instructions(server: Rig, watch: str, case: Case, runs: int) -> float:
    """Return the instructions of a worker for each mail."""
    most = MANY[case.work]
    few, many = (min(_counted(server, watch, case, mails) for _ in range(runs)) for mails in (FEW, most))
    return (many - few) / (most - FEW)


def _counted(server: Rig, watch: str, case: Case, mails: int) -> int:
    """Fill branches, have a worker drain them under valgrind, and return how many instructions it took in all."""
    # The order in which sets are walked is one of the things that would differ.
    around = {**server.environment(), "PYTHONHASHSEED": "0"}
    how = [str(case.branch), "apart" if case.apart else "together"]
    session = _run(around, [sys.executable, "-m", __spec__.name, "fill", watch, case.work, str(mails), *how]).stdout
    program = [*VALGRIND, sys.executable, "-m", __spec__.name, "drain", watch, str(case.turn), str(mails)]
    told = _run(around, program).stderr
    Session.open(json.loads(session), exchange=server.exchange()).delete()
    found = re.search(r"I\s+refs:\s+([\d,]+)", told)
    if found is None:
        raise WrongResult(f"TELEMETRY: valgrind has counted nothing. {told[-500:]}")
    return int(found[1].replace(",", ""))


def _run(around: dict[str, str], command: Sequence[str | os.PathLike[str]]) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, env=around, capture_output=True, text=True, check=False)
    if done.returncode:
        raise WrongResult(f"TELEMETRY: {command[-4:]} has failed. {done.stderr[-2000:]}")
    return done


async def _fill(watch: str, work: str, mails: int, of: int, apart: bool) -> None:
    """Put mails into branches; a worker asks for those of one once, and has the next with each commit."""
    WATCHES[watch]()
    async with Session(delivery="auto") as session:
        await session.anew_branch(name="sink", pool="nobody")
        behaviour = "relay" if work == "relay" else None
        branches = [await session.anew_branch(pool=POOL, behaviour=behaviour) for _ in range(mails // of)]
        async with nullcontext() if apart else session.batch():
            for number in range(mails):
                await session.default_branch.asend(branches[number // of], "message", "x" * 1000)
    print(json.dumps(session.id))


async def _drain(watch: str, turn: int, mails: int) -> None:
    """Handle all of them, in turns that no clock ends: under valgrind everything takes long."""
    schedule._LONG_SLICE = account._APART_SECONDS = math.inf  # type: ignore[misc]
    prefetch._AHEAD_SECONDS = prefetch._UNTRIED = written_down._MOST_SECONDS = math.inf  # type: ignore[misc,assignment]
    WATCHES[watch]()
    async with Worker(registry, pool=POOL, batch=turn) as worker:
        await worker.run(until_idle=True)
    if (worker.state.mails, worker.state.turns) != (mails, mails // turn):
        raise WrongResult(f"TELEMETRY: {worker.state.mails} mails in {worker.state.turns} turns, not {mails}.")


if __name__ == "__main__":
    main()
