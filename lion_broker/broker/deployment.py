"""The verbs of workers and pools: who is here, how many there should be, and whether a pool rests. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lion_broker.mail import verbs as v
from lion_broker.mail.outcome import Outcome

from .namespace import OpenNamespace, call
from .requests import Request
from .worker_reports import order_of, written_report

__all__ = ["enrol", "order_workers", "pause_pool", "set_wanted"]


def enrol(namespace: OpenNamespace, verb: v.Enrol) -> Request:
    """`enrol.lua`."""
    report = verb.report
    command = call("enrol", [namespace.keys.workers()], report.owner, written_report(report), verb.keep_ms)
    return Request((command,), lambda replies: order_of(replies[0]))


def order_workers(namespace: OpenNamespace, verb: v.OrderWorkers) -> Request:
    """`order_workers.lua`."""
    command = call("order_workers", [namespace.keys.workers()], verb.order, len(verb.owners), *verb.owners)
    return Request((command,), lambda replies: tuple(Outcome(word.decode()) for word in replies[0]))


def set_wanted(namespace: OpenNamespace, verb: v.SetWanted) -> Request:
    """`set_wanted.lua`."""
    wanted = "" if verb.wanted is None else verb.wanted
    return Request((call("set_wanted", [namespace.keys.pools(0)], verb.pool, wanted),), lambda replies: None)


def pause_pool(namespace: OpenNamespace, verb: v.PausePool | v.ResumePool) -> Request:
    """`pause_pool.lua`, once for each partition: a branch finds out in that of its session."""
    reason = verb.reason if isinstance(verb, v.PausePool) else ""
    calls = (
        call("pause_pool", [namespace.keys.paused(one)], verb.pool, reason) for one in range(namespace.keys.partitions)
    )

    def parse(replies: Sequence[Any]) -> Outcome:
        return Outcome.OK if Outcome.OK.encode() in replies else Outcome.ALREADY

    return Request(tuple(calls), parse)
