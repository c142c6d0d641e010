"""Workers and pools as tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final
from urllib.parse import urlencode

from lion_broker.dashboard.tables import Column, Empty, Row, Table
from lion_broker.insight.views import PoolView, WorkerView

__all__ = ["pool_table", "trends", "worker_table"]

_MINUTES: Final = 10
_STEP_SECONDS: Final = 15.0
NO_WORKERS: Final = Empty(
    "No worker has reported here. Start one where your registry is:", "lion-broker worker --app app:registry"
)
NO_POOLS: Final = Empty(
    "No pool is known. A pool is there when a branch is made for it:", 'session.new_branch(name="ada", pool="default")'
)


def worker_table(workers: Sequence[WorkerView]) -> Table:
    """Workers as their last heartbeats told."""
    columns = (
        Column("owner", "Worker"),
        Column("state", "State", "state", "lost: its heartbeat is overdue; what it had goes to others."),
        Column("pool", "Pool"),
        Column("host", "Host", data_only=True),
        Column("pid", "Process", "number", data_only=True),
        Column("version", "Version"),
        Column("started", "Started", "moment"),
        Column("heard", "Last heard", "moment"),
        Column("active", "Busy", "number", "Branches that it serves now."),
        Column("concurrency", "Of", "number", "Branches that it serves side by side at most."),
        Column("turns", "Turns", "number", data_only=True),
        Column("mails", "Mails", "number"),
        Column(
            "late_seconds",
            "Late",
            "seconds",
            "How late its event loop is: it has more to do than it can, or a behaviour blocks it.",
            rare=True,
        ),
        Column("rescued", "Rescued", "number", data_only=True),
        Column("behaviours", "Behaviours", hint="What its registry can do with mail, by name.", rare=True),
    )
    rows = [
        Row(
            {
                "owner": one.owner,
                "state": one.state,
                "pool": one.pool,
                "host": one.host,
                "pid": one.pid,
                "version": one.version,
                "started": one.started,
                "heard": one.heard,
                "active": one.active,
                "concurrency": one.concurrency,
                "turns": one.turns,
                "mails": one.mails,
                "late_seconds": one.late_seconds if one.is_behind else None,
                "rescued": one.rescued,
                "behaviours": ", ".join(one.behaviours or ()),
            },
            key=one.owner,
        )
        for one in workers
    ]
    return Table("workers", "Workers", columns, rows, NO_WORKERS, sorts=True, whole=True)


def pool_table(pools: Sequence[PoolView], beats: Iterable[Mapping[str, Any]] = ()) -> Table:
    """Pools with what waits, how many workers they have and are to have, and how they did in the last minutes."""
    past = trends(beats)
    columns = (
        Column("pool", "Pool"),
        Column("workers", "Workers", "number", "Those that run."),
        Column("wanted", "Wanted", "number", "How many it is to have, for whoever starts them."),
        Column("capacity", "Seats", "number", "Branches that its workers serve side by side at most."),
        Column("ready", "Waiting", "number", "Branches that have work and no worker."),
        Column("claimed", "At work", "number", "Branches that a worker has."),
        Column("paused", "Paused", "number", "Branches that take no turns until somebody resumes them."),
        Column("pause", "Why paused", hint="Why all of it is paused, with what is made for it later.", rare=True),
        Column("oldest_seconds", "Oldest", "seconds", "How long the branch that has waited longest has waited."),
        Column(
            "handled",
            "Mails/s",
            "spark",
            f"Mails per second, in the last {_MINUTES} minutes at most.",
        ),
        Column("waited", "Waiting", "spark", data_only=True),
    )
    rows = [
        Row(
            {
                "pool": one.pool,
                "workers": one.workers,
                "wanted": one.wanted,
                "capacity": one.capacity,
                "ready": one.ready,
                "claimed": one.claimed,
                "paused": one.paused,
                "pause": one.pause,
                "oldest_seconds": one.oldest_seconds if one.ready else None,
                "handled": [step[1] for step in past.get(one.pool, ())] or None,
                "waited": [step[0] for step in past.get(one.pool, ())] or None,
            },
            key=one.pool,
            links={"pool": f"/mailboxes?{urlencode({'q': one.pool})}"},
        )
        for one in pools
    ]
    return Table("pools", "Pools", columns, rows, NO_POOLS, sorts=True)


def trends(beats: Iterable[Mapping[str, Any]]) -> dict[str, list[tuple[float, float]]]:
    """How each pool did in the last minutes, a step for each 15 s: the most branches that waited, mails per second."""
    beats = list(beats)
    if len(beats) < 2:
        return {}
    end = beats[-1]["at"]
    steps: defaultdict[str, defaultdict[int, list[tuple[float, float, float]]]] = defaultdict(lambda: defaultdict(list))
    for before, beat in pairwise(beats):
        step = int((end - beat["at"]) // _STEP_SECONDS)
        if step < _MINUTES * 60 // _STEP_SECONDS:
            for pool, (waiting, handled) in beat["pools"].items():
                steps[pool][step].append((waiting, handled, beat["at"] - before["at"]))
    seen = sorted({step for found in steps.values() for step in found}, reverse=True)
    return {pool: [_step(found[step]) for step in seen] for pool, found in steps.items()}


def _step(looks: Sequence[tuple[float, float, float]]) -> tuple[float, float]:
    seconds = sum(one[2] for one in looks)
    handled = sum(one[1] for one in looks)
    return max((one[0] for one in looks), default=0), round(handled / seconds, 2) if seconds > 0 else 0.0
