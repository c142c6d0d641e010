"""Limits of models as tables: what is left of each, and who waits for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lion_broker.dashboard.tables import Column, Empty, Row, Table
from lion_broker.insight.limits import LimitView

__all__ = ["limit_table", "wait_table"]

NO_LIMITS: Final = Empty(
    "No shared limit was used in the last day. A registered model has one when it says so:",
    'registry.model("writer", iModel(model="openai/gpt-5-mini", limit_requests=500))',
)
NOBODY: Final = Empty("No call waits for a limit now.")


def limit_table(limits: Sequence[LimitView]) -> Table:
    """Limits, those first for which somebody waits."""
    columns = (
        Column("model", "Limit of"),
        Column("name", "Name", "code", data_only=True),
        Column("interval_seconds", "In each", "seconds", "The limits hold for so long, and fill steadily."),
        Column("limit_requests", "Limit of requests", "number", data_only=True),
        Column("requests_used", "Requests used", "number", data_only=True),
        Column("requests_left", "Requests left", "meter", "Of how many, as of now.", of="limit_requests"),
        Column("limit_tokens", "Limit of tokens", "number", data_only=True),
        Column("tokens_used", "Tokens used", "number", data_only=True),
        Column("tokens_left", "Tokens left", "meter", "Below 0 where more was used than reserved.", of="limit_tokens"),
        Column("full_seconds", "Full again in", "seconds", "If nobody asks meanwhile."),
        Column("calls", "Calls waiting", "number", "In all processes together."),
        Column("wait_seconds", "Next let through in", "seconds", "When the first who waits asks again."),
        Column("idle_seconds", "Last used", "ago"),
    )
    rows = [
        Row(
            {
                "model": one.model,
                "name": one.name,
                "interval_seconds": one.interval_seconds,
                "limit_requests": one.limit_requests,
                "requests_used": _used(one.limit_requests, one.requests_left),
                "requests_left": _floor(one.requests_left),
                "limit_tokens": one.limit_tokens,
                "tokens_used": _used(one.limit_tokens, one.tokens_left),
                "tokens_left": _floor(one.tokens_left),
                "full_seconds": round(one.full_seconds, 3),
                "calls": one.calls,
                "wait_seconds": one.wait_seconds,
                "idle_seconds": round(one.idle_seconds, 3),
            },
            key=one.name,
        )
        for one in limits
    ]
    return Table("limits", "Limits", columns, rows, NO_LIMITS, sorts=True)


def wait_table(limits: Sequence[LimitView], names: dict[str, str]) -> Table:
    """Who waits for a limit; `names` are those of sessions and branches by id."""
    columns = (
        Column("model", "Limit of"),
        Column("process", "Worker or process"),
        Column("session", "Session"),
        Column("branch", "Branch", hint="Whose call is the next of this process."),
        Column("calls", "Calls waiting", "number"),
        Column("seconds", "Asks again in", "seconds"),
    )
    rows = []
    for limit in limits:
        for one in limit.waits:
            values = {
                "model": limit.model,
                "process": one.process,
                "session": names.get(one.session, one.session),
                "branch": names.get(one.branch, one.branch),
                "calls": one.calls,
                "seconds": one.seconds,
            }
            home = f"/sessions/{one.session}"
            links = {"session": home, "branch": f"{home}/conversation?branch={one.branch}"}
            rows.append(Row(values, links if one.session in names else {}, f"{limit.name} {one.process} {one.branch}"))
    return Table("waits", "Who waits", columns, rows, NOBODY, sorts=True)


def _used(limit: int | None, left: float | None) -> int | None:
    floor = _floor(left)
    return None if limit is None or floor is None else limit - floor


def _floor(left: float | None) -> int | None:
    return None if left is None else int(left // 1)
