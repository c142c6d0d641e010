"""Takes workers that are not at work any more off the register, before it forgets them by itself."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Final

from lion_broker.insight.overview import LOST, worker_views
from lion_broker.mail.deployment import WorkerPhase, WorkerReport
from lion_broker.mail.exchange import Steps, ask, ask_all
from lion_broker.mail.verbs import Enrol, ReadWorkers

__all__ = ["GONE", "forget_pool_steps", "forget_steps"]

GONE: Final = (LOST, WorkerPhase.STOPPED)
"""The states of workers that can be forgotten."""
_AT_ONCE_MS: Final = 1


def forget_steps(owners: Collection[str]) -> Steps[tuple[str, ...]]:
    """Say goodbye in the place of workers that are lost or have stopped, and return who these were.

    One that is heard of again is shown again, and its order stands; what it had in hand is no matter of the register.
    """
    roll = yield from ask(ReadWorkers())
    gone = {one.owner for one in worker_views(roll) if one.state in GONE and one.owner in owners}
    return (yield from _goodbye([one.report for one in roll.workers if one.report.owner in gone]))


def forget_pool_steps(pool: str) -> Steps[tuple[str, ...]]:
    """Say goodbye in the place of all workers of a pool, and return who these were.

    For whoever has started them and seen their processes end: a heartbeat that is not overdue yet says nothing then.
    """
    roll = yield from ask(ReadWorkers())
    return (yield from _goodbye([one.report for one in roll.workers if one.report.pool == pool]))


def _goodbye(reports: Sequence[WorkerReport]) -> Steps[tuple[str, ...]]:
    yield from ask_all([Enrol(replace(one, state=WorkerPhase.STOPPED), _AT_ONCE_MS) for one in reports])
    return tuple(one.owner for one in reports)
