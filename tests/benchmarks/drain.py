"""P1 and P11: draining a full pool, beside the bare hop with redis-py in the same run."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from typing import Any

from lion_broker import Session
from lion_broker.mail.exchange import run
from lion_broker.session.postbox import Postbox

from .rig import Figure, Rig, kilobyte_mails

BRANCHES = 100
HOP_BATCH = 100


def drain(rig: Rig, mails: int, rounds: int) -> list[Figure]:
    """20,000 mails of 1 KB to 100 branches, one worker process; and the bare hop, interleaved."""
    ours, bare = [], []
    for _ in range(rounds):
        bare.append(_bare_hop(rig, mails))
        ours.append(_drain_once(rig, mails))
    rate = statistics.median(one["rate"] for one in ours)
    hop = statistics.median(bare)
    worker = statistics.median(one["worker"] for one in ours)
    server = statistics.median(one["server"] for one in ours)
    enqueue = statistics.median(one["enqueue"] for one in ours)
    calls = statistics.median(one["calls"] for one in ours)
    return [
        Figure("P1", "drained by one worker", rate, "mails/s", "26,400: 8 × the fastest peer's 3,300"),
        Figure("P1", "bare redis-py hop, pipelined", hop, "mails/s", "the opponent"),
        Figure("P1", "drained / bare hop", rate / hop, "ratio", "at least 0.35"),
        Figure("P1", "CPU of the worker", worker, "µs/mail", "at most 40"),
        Figure("P1", "CPU of the server", server, "µs/mail", "at most 20"),
        Figure("P4", "enqueued in pieces of 200", enqueue, "mails/s", "40,000"),
        Figure("P11", "calls a turn, claims and ready reads included", calls, "calls", "1, at most 2"),
    ]


def _drain_once(rig: Rig, mails: int) -> dict[str, float]:
    exchange = rig.exchange()
    pool = f"bench-{time.monotonic_ns()}"
    session = Session(exchange=exchange, delivery="auto")
    recipients = [session.new_branch(pool=pool).id for _ in range(BRANCHES)]
    start = time.perf_counter()
    run(exchange, Postbox(session.id).post_steps(kilobyte_mails(session.id, session.id, recipients, mails)))
    enqueue = mails / (time.perf_counter() - start)
    rig.reset()
    server = rig.server_cpu()
    command = [sys.executable, "-m", "tests.benchmarks.consumer", pool, str(mails)]
    done = subprocess.run(command, env=rig.environment(), check=True, capture_output=True, text=True)
    server = rig.server_cpu() - server
    cost: dict[str, Any] = json.loads(done.stdout)
    calls = rig.calls()
    applied = session.counters()["applied"]
    if applied != mails:
        raise SystemExit(f"P1: {applied} of {mails} mails were applied; the figure would be worthless.")
    session.delete()
    exchange.close()
    return {
        "rate": mails / cost["seconds"],
        "worker": cost["cpu"] / mails * 1e6,
        "server": server / mails * 1e6,
        "enqueue": enqueue,
        "calls": (calls.get("fcall", 0) + calls.get("xreadgroup", 0)) / cost["turns"],
    }


def _bare_hop(rig: Rig, mails: int) -> float:
    """XADD, XREADGROUP, XACK and XDEL of 1 KB entries, pipelined in hundreds, with redis-py and nothing else."""
    raw: Any = rig.raw
    key, group, payload = "bare", "g", b"x" * 1000
    raw.delete(key)
    raw.xgroup_create(key, group, id="0", mkstream=True)
    start = time.perf_counter()
    for _ in range(mails // HOP_BATCH):
        pipe = raw.pipeline(transaction=False)
        for _ in range(HOP_BATCH):
            pipe.xadd(key, {"m": payload})
        pipe.execute()
        ((_, entries),) = raw.xreadgroup(group, "c", {key: ">"}, count=HOP_BATCH)
        ids = [entry_id for entry_id, _ in entries]
        pipe = raw.pipeline(transaction=False)
        pipe.xack(key, group, *ids)
        pipe.xdel(key, *ids)
        pipe.execute()
    seconds = time.perf_counter() - start
    raw.delete(key)
    return mails / seconds
