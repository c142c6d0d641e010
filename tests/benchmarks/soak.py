"""SOAK: a steady mixed load for ten minutes, and whether the memory of all processes, and the keys, stay level."""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import time
from collections import Counter
from typing import Any

import anyio

from lion_broker import Session
from lion_broker.core.frames import messages_to_frame
from lion_broker.mail.exchange import Exchange

from .growth import resident
from .rig import Curve, Figure, Rig

POOL = "soak"
SECONDS, QUICK_SECONDS = 600.0, 30.0
SAMPLES = 60
LIVES = 8
"""Rounds after which a session is deleted and another one begins."""
SIDE_BY_SIDE = 4
_KIND = re.compile(r"lion:\{[^}]*\}:(?:s:[^:]+(?::b:[^:]+)?:?)?")

Sample = dict[str, float]


def soak(rig: Rig, quick: bool) -> list[Figure | Curve]:
    """Messages, commands, answers, failing mail, branches and sessions that come and go, and one session that stays."""
    seconds = QUICK_SECONDS if quick else SECONDS
    words = ("--app", "tests.benchmarks.soak_desk:registry", "--pool", POOL, "--json")
    worker = subprocess.Popen(
        [sys.executable, "-m", "lion_broker", "worker", *words],
        env=rig.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert worker.stdout is not None
    worker.stdout.readline()
    try:
        samples = anyio.run(_load, rig, seconds, worker.pid)
    finally:
        worker.terminate()
        worker.communicate()
    return _curves(samples)


async def _load(rig: Rig, seconds: float, worker: int) -> list[Sample]:
    exchange = rig.exchange()
    samples: list[Sample] = []
    done = Counter[str]()
    messages_to_frame([])  # pandas is imported before the memory is looked at
    async with Session(exchange=exchange, delivery="auto") as stays, anyio.create_task_group() as group:
        lasting = await stays.anew_branch(pool=POOL, behaviour="answer")
        for _ in range(SIDE_BY_SIDE):
            group.start_soon(_generations, exchange, done)
        group.start_soon(_trickle, stays, lasting, done)
        begin = time.monotonic()
        while (now := time.monotonic() - begin) < seconds:
            samples.append({"at": now, **_sample(rig, worker, stays.id), **{f"done {k}": v for k, v in done.items()}})
            await anyio.sleep(seconds / SAMPLES)
        group.cancel_scope.cancel()
    with anyio.CancelScope(shield=True):
        await exchange.aclose()
    return samples


async def _generations(exchange: Exchange, done: Counter[str]) -> None:
    """Sessions, one after the other, each with some rounds of everything that a session does."""
    while True:
        session = Session(exchange=exchange, delivery="auto")
        many = [await session.anew_branch(pool=POOL, system="Be brief.") for _ in range(5)]
        asked = await session.anew_branch(pool=POOL, imodel="offline/extractive")
        failing = await session.anew_branch(pool=POOL, behaviour="fail")
        for _ in range(LIVES):
            async with session.batch():
                for one in many * 10:
                    await session.default_branch.asend(one, "message", "hello " * 20)
            await asked.communicate("What is a lion?", context=["A lion is a large cat."], clear_messages=True)
            await session.default_branch.asend(failing, "message", "try")
            passing = await session.anew_branch(pool=POOL, name="passing")
            await session.default_branch.asend(passing, "message", "hello")
            await session.await_idle()
            await session.aremove_branch(passing, delete=True)
            done.update(rounds=1, mails=len(many) * 10 + 3)
        session.to_df()
        await session.aretry_dead_letters()
        await session.await_idle()
        session.delete()
        done.update(sessions=1)


async def _trickle(session: Session, branch: Any, done: Counter[str]) -> None:
    """One branch that lives as long as the soak, and the mail that it answers."""
    while True:
        await session.default_branch.asend(branch, "message", "hello")
        await session.await_idle()
        await session.acollect()
        session.default_branch.msgs.clear_messages()
        await session.aflush()
        done.update(lasting=1)
        await anyio.sleep(0.05)


def _sample(rig: Rig, worker: int, lasting: str) -> Sample:
    raw: Any = rig.raw
    memory = raw.info("memory")
    keys = [key.decode() for key in raw.scan_iter(count=1000)]
    kinds = Counter(_KIND.sub("", key).partition(":")[0] or "hash" for key in keys)
    # What lives on keeps its history; answers that nobody has read to the end expire after ten minutes.
    kept = sum(raw.memory_usage(key) or 0 for key in keys if lasting in key)
    answers = sum(raw.memory_usage(key) or 0 for key in keys if ":reply:" in key)
    return {
        "worker": resident(worker),
        "client": resident(),
        "server": memory["used_memory_rss"],
        "data": memory["used_memory"] - memory["mem_clients_normal"] - kept - answers,
        "data of the session that stays": kept,
        "answers": answers,
        "keys": len(keys) - kinds["reply"],
        **{f"keys {kind}": count for kind, count in kinds.items()},
    }


def _curves(samples: list[Sample]) -> list[Figure | Curve]:
    names = list(dict.fromkeys(name for sample in samples for name in sample if name != "at"))

    def curve(name: str, unit: str, scale: float = 1.0) -> Curve:
        points = tuple((round(one["at"], 1), one.get(name, 0.0) / scale) for one in samples)
        return Curve("SOAK", name, "seconds", unit, points, "level")

    found: list[Figure | Curve] = [curve(name, "MB", 1e6) for name in names if not name.startswith(("keys", "done"))]
    found += [curve(name, "count") for name in names if name.startswith("keys")]
    for name in ("worker", "client", "server", "data", "keys"):
        half = samples[len(samples) // 2 :]
        per_second = statistics.linear_regression(
            [one["at"] for one in half], [one.get(name, 0.0) for one in half]
        ).slope
        level = statistics.mean(one.get(name, 0.0) for one in half)
        drift = per_second * 3600 / level * 100
        found.append(Figure("SOAK", f"{name}: slope over the second half", drift, "%/hour", "about 0"))
    last = samples[-1]
    return found + [
        Figure("SOAK", name.replace("done ", "done: "), last[name] / last["at"], "each s")
        for name in names
        if "done" in name
    ]
