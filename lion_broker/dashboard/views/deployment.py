"""Workers and pools as tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lion_broker.dashboard.tables import Column, Empty, Row, Table
from lion_broker.insight.pictures import PoolPicture, WorkerPicture

__all__ = ["pool_table", "worker_table"]

NO_WORKERS: Final = Empty(
    "No worker has reported here. Start one where your registry is:", "lion-broker worker --app app:registry"
)
NO_POOLS: Final = Empty(
    "No pool is known. A pool is there when a branch is made for it:", 'session.new_branch(name="ada", pool="default")'
)


def worker_table(workers: Sequence[WorkerPicture]) -> Table:
    """Workers as their last heartbeats told."""
    columns = (
        Column("owner", "Worker"),
        Column("state", "State", "state", "lost: its heartbeat is overdue; what it had goes to others."),
        Column("pool", "Pool"),
        Column("host", "Host", data_only=True),
        Column("pid", "Process", data_only=True),
        Column("version", "Version"),
        Column("started", "Started", "moment"),
        Column("heard", "Last heard", "moment"),
        Column("active", "Busy", "number", "Branches that it serves now."),
        Column("concurrency", "Of", "number", "Branches that it serves side by side at most."),
        Column("turns", "Turns", "number"),
        Column("mails", "Mails", "number"),
        Column("rescued", "Rescued", "number", data_only=True),
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
                "rescued": one.rescued,
            },
            key=one.owner,
        )
        for one in workers
    ]
    return Table("workers", "Workers", columns, rows, NO_WORKERS)


def pool_table(pools: Sequence[PoolPicture]) -> Table:
    """Pools with what waits, and how many workers they have and are to have."""
    columns = (
        Column("pool", "Pool"),
        Column("workers", "Workers", "number", "Those that run."),
        Column("wanted", "Wanted", "number", "How many it is to have, for whoever starts them."),
        Column("capacity", "Places", "number", "Branches that its workers serve side by side at most."),
        Column("ready", "Waiting branches", "number", "They have work and no worker."),
        Column("claimed", "Branches at work", "number"),
        Column("oldest_seconds", "Oldest wait", "seconds"),
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
                "oldest_seconds": one.oldest_seconds if one.ready else None,
            },
            key=one.pool,
        )
        for one in pools
    ]
    return Table("pools", "Pools", columns, rows, NO_POOLS)
