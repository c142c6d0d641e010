"""Budgets of requests and tokens that fill with time."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from lion_broker.mail import verbs as v

from .store import Store

__all__ = ["reserve", "settle"]


@dataclass(slots=True)
class Budget:
    """What was left at some moment; None before the first use."""

    requests: float | None = None
    tokens: float | None = None
    at: float = 0.0

    def fill(self, verb: v.Reserve | v.Settle) -> None:
        """Come up to now."""
        now = time.monotonic() * 1000
        passed = now - self.at if self.at else 0.0
        self.requests = _level(self.requests, verb.limit_requests, passed, verb.interval_ms)
        self.tokens = _level(self.tokens, verb.limit_tokens, passed, verb.interval_ms)
        self.at = now

    def take(self, verb: v.Reserve | v.Settle) -> None:
        """Take out, or put back, no further than to the limits."""
        if self.requests is not None:
            self.requests = min(verb.limit_requests, self.requests - verb.requests)
        if self.tokens is not None:
            self.tokens = min(verb.limit_tokens, self.tokens - verb.tokens)


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
    return wait


def settle(store: Store, verb: v.Settle) -> None:
    """Afterwards, whatever is left."""
    _budget(store, verb).take(verb)


def _budget(store: Store, verb: v.Reserve | v.Settle) -> Budget:
    budget: Budget = store.budgets.setdefault(verb.budget, Budget())
    budget.fill(verb)
    return budget
