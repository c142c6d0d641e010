"""A budget of requests and tokens that all processes on one exchange share."""

from __future__ import annotations

import hashlib
import os
import re
import socket
from typing import Final

from lion_broker.mail.exchange import Exchange
from lion_broker.mail.verbs import Reserve, Settle
from lion_broker.models.imodel import iModel
from lion_broker.telemetry.lines import said

__all__ = ["SharedBudget", "asker", "share_limits"]

_LONGEST: Final = 200
_NOT_IN_A_NAME: Final = re.compile(r"[^A-Za-z0-9_.-]+")


def asker() -> str:
    """Who asks for a call: its process (a worker, or host and process id), its session and its branch, a line each."""
    process = said("worker") or f"{socket.gethostname()}:{os.getpid()}"
    return "\n".join(part[:_LONGEST] for part in (process, said("session"), said("branch")))


class SharedBudget:
    """A Budget (see `models.limits`) kept by an exchange, by its clock; calls cost a round trip to it."""

    def __init__(
        self,
        exchange: Exchange,
        name: str,
        limit_requests: int | None = None,
        limit_tokens: int | None = None,
        interval: float = 60.0,
        title: str = "",
    ) -> None:
        """Name a budget; `title` is what people call it."""
        self.limit_requests = limit_requests
        self.limit_tokens = limit_tokens
        self.name = name
        self.title = title
        self.exchange = exchange
        self._limits = {
            "limit_requests": -1 if limit_requests is None else limit_requests,
            "limit_tokens": -1 if limit_tokens is None else limit_tokens,
            "interval_ms": max(1, round(interval * 1000)),
        }

    async def reserve(self, requests: int, tokens: int, calls: int = 1) -> int:
        """Take so much and return 0; or take nothing and return after how many milliseconds to ask again."""
        verb = Reserve(self.name, requests, tokens, **self._limits, title=self.title, who=asker(), calls=calls)
        return await self.exchange.acall(verb)

    async def settle(self, tokens: int, requests: int = 0) -> None:
        """Take what was used beyond a reservation, or give back what was not."""
        await self.exchange.acall(Settle(self.name, requests, tokens, **self._limits))

    def __repr__(self) -> str:
        return f"SharedBudget({self.name} on {self.exchange.url})"


def share_limits(model: iModel, exchange: Exchange) -> None:
    """Let a model with limits share them with all who use a model of that name and limits on an exchange."""
    settings = model.named
    if settings.limit_requests is None and settings.limit_tokens is None:
        return
    limits = (settings.limit_requests, settings.limit_tokens, settings.interval)
    # Two limits for one name are two budgets: neither could tell how full the other's is.
    digest = hashlib.sha256(repr((model.name, settings.base_url, limits)).encode()).hexdigest()[:12]
    shared = model.processor.budget if model.processor is not None else None
    if isinstance(shared, SharedBudget) and shared.exchange is exchange:
        return
    name = f"{_NOT_IN_A_NAME.sub('.', model.name)[:80]}:{digest}"
    model.share(SharedBudget(exchange, name, *limits, title=model.name[:_LONGEST]))
