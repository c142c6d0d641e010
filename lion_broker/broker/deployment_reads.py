"""The verbs that look at a whole deployment: what each partition says, put together. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from lion_broker.mail import verbs as v
from lion_broker.mail.deployment import BudgetRecord, BudgetWait, Due, Enrolled, PoolRecord, Roll, Tally

from .namespace import OpenNamespace, call
from .requests import Request
from .worker_reports import order_of, read_report

__all__ = ["OVERLOOK"]


def read_workers(namespace: OpenNamespace, verb: v.ReadWorkers) -> Request:
    """`read_workers.lua`; a report that cannot be read is left out."""

    def parse(replies: Sequence[Any]) -> Roll:
        now, *rows = replies[0]
        read = [(read_report(report), int(heard), order_of(order)) for report, heard, order in rows]
        return Roll(now, tuple(Enrolled(report, heard, order) for report, heard, order in read if report is not None))

    return Request((call("read_workers", [namespace.keys.workers()], verb.count),), parse)


def read_pools(namespace: OpenNamespace, verb: v.ReadPools) -> Request:
    """`read_pools.lua`, once for each partition; the first one knows how many workers are wanted."""
    partitions = range(namespace.keys.partitions)

    def parse(replies: Sequence[Any]) -> tuple[PoolRecord, ...]:
        found: dict[str, PoolRecord] = {}
        for partition, rows in enumerate(replies):
            for raw, ready, claimed, oldest, asked, paused, pause in rows:
                name = raw.decode("utf-8", "replace")
                before = found.get(name, PoolRecord(name))
                wanted = int(asked) if partition == 0 and asked.isdigit() else before.wanted
                oldest_ms = max(oldest, before.oldest_ms)
                found[name] = PoolRecord(
                    name,
                    before.ready + ready,
                    before.claimed + claimed,
                    oldest_ms,
                    wanted,
                    before.paused + paused,
                    before.pause or pause.decode("utf-8", "replace"),
                )
        return tuple(found[name] for name in sorted(found)[: verb.count])

    return Request(tuple(call("read_pools", [namespace.keys.pools(one)], verb.count) for one in partitions), parse)


def count_mail(namespace: OpenNamespace, verb: v.CountMail) -> Request:
    """`count_mail.lua`, once for each partition."""
    partitions = range(namespace.keys.partitions)

    def parse(replies: Sequence[Any]) -> tuple[Tally, ...]:
        rows = (row for reply in replies for row in reply)
        return tuple(Tally(session.decode("utf-8", "replace"), *map(int, counts)) for session, *counts in rows)

    calls = (call("count_mail", [namespace.keys.sessions(one)], verb.start, verb.count) for one in partitions)
    return Request(tuple(calls), parse)


def read_due(namespace: OpenNamespace, verb: v.ReadDue) -> Request:
    """`read_due.lua`, once for each partition."""
    partitions = range(namespace.keys.partitions)
    calls = (call("read_due", [namespace.keys.due(partition)], verb.limit) for partition in partitions)
    return Request(tuple(calls), lambda replies: Due(*(sum(column) for column in zip(*replies, strict=True))))


def read_budgets(namespace: OpenNamespace, verb: v.ReadBudgets) -> Request:
    """`read_budgets.lua`."""
    command = call("read_budgets", [namespace.keys.limits()], verb.count)
    return Request((command,), lambda replies: tuple(map(_budget, replies[0])))


def _budget(row: Sequence[Any]) -> BudgetRecord:
    name, title, limit_requests, limit_tokens, interval_ms, requests, tokens, idle_ms, waiting = row
    waits = (BudgetWait(who.decode("utf-8", "replace"), calls, wait_ms) for who, calls, wait_ms in waiting)
    most_requests, most_tokens = (None if int(limit) < 0 else int(limit) for limit in (limit_requests, limit_tokens))
    return BudgetRecord(
        name.decode("utf-8", "replace"),
        title.decode("utf-8", "replace"),
        most_requests,
        most_tokens,
        int(interval_ms),
        None if most_requests is None else float(requests),
        None if most_tokens is None else float(tokens),
        idle_ms,
        tuple(sorted(waits, key=_soonest)),
    )


def _soonest(one: BudgetWait) -> tuple[int, str]:
    return one.wait_ms, one.who


OVERLOOK: Final[Mapping[type[v.Verb[Any]], Callable[[OpenNamespace, Any], Request]]] = {
    v.ReadWorkers: read_workers,
    v.ReadPools: read_pools,
    v.CountMail: count_mail,
    v.ReadDue: read_due,
    v.ReadBudgets: read_budgets,
}
