"""What models may be asked in a time, what is left of it, and who waits for it."""

from __future__ import annotations

from dataclasses import dataclass

from lion_broker.mail.deployment import BudgetRecord, BudgetWait
from lion_broker.mail.exchange import Steps, ask
from lion_broker.mail.verbs import ReadBudgets

__all__ = ["LimitView", "LimitWait", "limit_views", "limits_steps"]


@dataclass(frozen=True, slots=True)
class LimitWait:
    """Who waits for a limit: a process (a worker, or host and process id), and whose call is the next there, if known.

    It waits with so many `calls`, and asks again in so many `seconds`.
    """

    process: str
    session: str
    branch: str
    calls: int
    seconds: float


@dataclass(frozen=True, slots=True)
class LimitView:
    """A limit that processes on one exchange share: so many requests and tokens for each `interval_seconds`.

    None is for what has no limit. What is left may be below 0, where more was used than was reserved; all is there
    again in `full_seconds`. `calls` wait, the next of them for `wait_seconds` (None when none waits).
    """

    name: str
    model: str
    interval_seconds: float
    limit_requests: int | None
    requests_left: float | None
    limit_tokens: int | None
    tokens_left: float | None
    full_seconds: float
    idle_seconds: float
    calls: int
    wait_seconds: float | None
    waits: tuple[LimitWait, ...] = ()


def limits_steps() -> Steps[tuple[LimitView, ...]]:
    """Look at the limits that were used in the last day; one call."""
    return limit_views((yield from ask(ReadBudgets())))


def limit_views(records: tuple[BudgetRecord, ...]) -> tuple[LimitView, ...]:
    """Return limits, those first for which somebody waits, then by model."""
    pictures = (_limit(record) for record in records)
    return tuple(sorted(pictures, key=lambda one: (-one.calls, one.model, one.name)))


def _limit(record: BudgetRecord) -> LimitView:
    waits = tuple(map(_wait, record.waits))
    interval = record.interval_ms / 1000
    missing = (
        max(0.0, limit - left) / limit
        for limit, left in ((record.limit_requests, record.requests), (record.limit_tokens, record.tokens))
        if limit and left is not None
    )
    return LimitView(
        name=record.budget,
        model=record.title or record.budget,
        interval_seconds=interval,
        limit_requests=record.limit_requests,
        requests_left=record.requests,
        limit_tokens=record.limit_tokens,
        tokens_left=record.tokens,
        full_seconds=interval * max(missing, default=0.0),
        idle_seconds=record.idle_ms / 1000,
        calls=sum(one.calls for one in waits),
        wait_seconds=min((one.seconds for one in waits), default=None),
        waits=waits,
    )


def _wait(one: BudgetWait) -> LimitWait:
    process, session, branch = [*one.who.split("\n", 2), "", ""][:3]
    return LimitWait(process, session, branch, one.calls, one.wait_ms / 1000)
