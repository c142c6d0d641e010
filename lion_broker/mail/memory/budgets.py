"""Budgets of requests and tokens that fill with time."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

from lion_broker.mail import verbs as v
from lion_broker.mail.deployment import BudgetRecord, BudgetWait

from .store import Store

__all__ = ["read_budgets", "reserve", "settle"]

_KEPT_MS = 86_400_000
_MOST = 1000
_MOST_WAITERS = 200
_LATE_MS = 5000
"""Who asks again so much later than it was told to has gone."""


@dataclass(slots=True)
class Budget:
    """What was left at some moment; None before the first use. `waits` are who was refused, until when, and calls."""

    requests: float | None = None
    tokens: float | None = None
    at: float = 0.0
    used: float = 0.0
    title: str = ""
    limit_requests: int = -1
    limit_tokens: int = -1
    interval_ms: int = 1
    waits: dict[str, tuple[float, int]] = field(default_factory=dict)

    def use(self, verb: v.Reserve | v.Settle) -> None:
        """Come up to now, with the limits of whoever asks."""
        self.limit_requests, self.limit_tokens = verb.limit_requests, verb.limit_tokens
        self.interval_ms = verb.interval_ms
        self.fill()
        self.used = self.at

    def fill(self) -> None:
        """Come up to now."""
        now = time.monotonic() * 1000
        passed = now - self.at if self.at else 0.0
        self.requests = _level(self.requests, self.limit_requests, passed, self.interval_ms)
        self.tokens = _level(self.tokens, self.limit_tokens, passed, self.interval_ms)
        self.at = now
        self.waits = {who: wait for who, wait in self.waits.items() if wait[0] + _LATE_MS >= now}

    def take(self, verb: v.Reserve | v.Settle) -> None:
        """Take out, or put back, no further than to the limits."""
        if self.requests is not None:
            self.requests = min(verb.limit_requests, self.requests - verb.requests)
        if self.tokens is not None:
            self.tokens = min(verb.limit_tokens, self.tokens - verb.tokens)

    def note(self, verb: v.Reserve, wait: int) -> None:
        """Remember who waits, or that it waits no more."""
        self.title = verb.title or self.title
        if not wait:
            self.waits.pop(verb.who, None)
        elif verb.who and (verb.who in self.waits or len(self.waits) < _MOST_WAITERS):
            self.waits[verb.who] = (self.at + wait, verb.calls)

    def record(self, name: str) -> BudgetRecord:
        """How it stands."""
        rows = sorted(self.waits.items(), key=lambda row: (row[1][0], row[0]))
        waits = (BudgetWait(who, calls, max(0, round(due - self.at))) for who, (due, calls) in rows)
        return BudgetRecord(
            name,
            self.title,
            None if self.limit_requests < 0 else self.limit_requests,
            None if self.limit_tokens < 0 else self.limit_tokens,
            self.interval_ms,
            self.requests,
            self.tokens,
            int(self.at - self.used),
            tuple(waits),
        )


def _level(stored: float | None, limit: int, passed: float, interval_ms: int) -> float | None:
    if limit < 0:
        return None
    return min(limit, (limit if stored is None else stored) + passed * limit / interval_ms)


def _wait(amount: int, level: float | None, limit: int, interval_ms: int) -> int:
    if level is None or amount <= 0 or amount - level < 1e-3:
        return 0
    return math.ceil((amount - level) * interval_ms / limit)


def reserve(store: Store, verb: v.Reserve) -> int:
    """Both or neither."""
    budget = _budget(store, verb)
    wait = max(
        _wait(verb.requests, budget.requests, verb.limit_requests, verb.interval_ms),
        _wait(verb.tokens, budget.tokens, verb.limit_tokens, verb.interval_ms),
    )
    if not wait:
        budget.take(verb)
    budget.note(verb, wait)
    return wait


def settle(store: Store, verb: v.Settle) -> None:
    """Afterwards, whatever is left."""
    _budget(store, verb).take(verb)


def read_budgets(store: Store, verb: v.ReadBudgets) -> tuple[BudgetRecord, ...]:
    """Those of the last day, the one that was used last first."""
    newest = sorted(store.budgets.items(), key=lambda item: -item[1].used)[: min(verb.count, _MOST)]
    for _, budget in newest:
        budget.fill()
    return tuple(budget.record(name) for name, budget in newest if budget.at - budget.used <= _KEPT_MS)


def _budget(store: Store, verb: v.Reserve | v.Settle) -> Budget:
    budget: Budget = store.budgets.setdefault(verb.budget, Budget())
    budget.use(verb)
    return budget
