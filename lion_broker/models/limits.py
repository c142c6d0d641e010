"""Requests and tokens per interval: what a budget promises, one for this process, and how calls wait for it."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Final, Protocol
from weakref import WeakKeyDictionary

from lion_broker.core.numbers import counted
from lion_broker.errors import ConfigError, ModelRateLimited
from lion_broker.telemetry.acts import ActKind, act

__all__ = ["Budget", "LocalBudget", "Permit", "RateLimitedProcessor"]

_INTERVAL: Final = 60.0


class Budget(Protocol):
    """So many requests and tokens per interval, shared by all who reserve from it. Safe from many tasks at once.

    It is full at first, fills steadily and never beyond its limits. Both counts are taken together or not at all.
    """

    limit_requests: int | None
    """Requests per interval; None: as many as one likes."""
    limit_tokens: int | None
    """Tokens per interval; None: as many as one likes."""

    async def reserve(self, requests: int, tokens: int, calls: int = 1) -> int:
        """Take so much and return 0; or take nothing and return after how many milliseconds to ask again.

        More than a limit is never granted: who asks makes sure that it is not. `calls` is how many wait with this one,
        for whoever looks at who waits.
        """

    async def settle(self, tokens: int, requests: int = 0) -> None:
        """Take what was used beyond a reservation; negative numbers give back what was not used.

        This may leave less than nothing, which the next reservations wait for.
        """


class LocalBudget:
    """A Budget of this process: two token buckets. Safe from several threads."""

    def __init__(
        self,
        limit_requests: int | None = None,
        limit_tokens: int | None = None,
        interval: float = _INTERVAL,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limit_requests = limit_requests
        self.limit_tokens = limit_tokens
        self._requests = _Bucket(limit_requests, interval, clock)
        self._tokens = _Bucket(limit_tokens, interval, clock)
        self._lock = Lock()

    async def reserve(self, requests: int, tokens: int, calls: int = 1) -> int:
        """Take so much and return 0; or take nothing and return after how many milliseconds to ask again."""
        with self._lock:
            wait = max(self._requests.wait_for(requests), self._tokens.wait_for(tokens))
            if wait <= 0:
                self._requests.take(requests)
                self._tokens.take(tokens)
                return 0
        return max(1, math.ceil(wait * 1000))

    async def settle(self, tokens: int, requests: int = 0) -> None:
        """Take what was used beyond a reservation, or give back what was not."""
        with self._lock:
            self._requests.take(requests)
            self._tokens.take(tokens)

    def __repr__(self) -> str:
        return f"LocalBudget({self._requests} requests, {self._tokens} tokens)"


@dataclass(slots=True)
class Permit:
    """Leave to make one call. `used` says how many tokens it took; without that the reservation counts."""

    reserved: int
    taken: int | None = None

    def used(self, tokens: int) -> None:
        """Note how many tokens the call took."""
        self.taken = tokens


class RateLimitedProcessor:
    """Lets calls through at the pace of a budget: in the order in which they came, and each as soon as it fits.

    `limit_requests` and `limit_tokens` hold for `interval` seconds (`capacity_refresh_time` is the same in LionAGI's
    words); `queue_capacity` is how many calls may be under way at once. A `budget` takes the place of the limits, for
    example one that several processes share.
    """

    def __init__(
        self,
        queue_capacity: int | None = None,
        capacity_refresh_time: float = _INTERVAL,
        interval: float | None = None,
        limit_requests: int | None = None,
        limit_tokens: int | None = None,
        *,
        budget: Budget | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Keep the limits that are given, none without; raises ConfigError for limits that let nothing through."""
        numbers = (queue_capacity, capacity_refresh_time, interval, limit_requests, limit_tokens)
        if any(number is not None and number <= 0 for number in numbers):
            raise ConfigError("the limits of a RateLimitedProcessor are above 0, or None")
        self.budget: Budget = budget or LocalBudget(
            limit_requests, limit_tokens, interval or capacity_refresh_time, clock
        )
        self._capacity = queue_capacity
        self._sleep = sleep
        self._clock = clock
        self._waiting = 0
        self._gates: WeakKeyDictionary[asyncio.AbstractEventLoop, _Gate] = WeakKeyDictionary()

    @property
    def waiting(self) -> int:
        """How many calls wait for their turn."""
        return self._waiting

    @asynccontextmanager
    async def permit(self, tokens: int = 0, timeout: float | None = None, least: int = 0) -> AsyncIterator[Permit]:
        """Wait until a call of about so many tokens may be made, and settle what it took at the end of the block.

        Whoever waits and is cancelled has taken nothing. When the block fails, its tokens are given back; its request
        is not, for servers count those too. Raises ModelRateLimited when the wait would be longer than `timeout`, or
        when the call needs at `least` more tokens than the limit.
        """
        limit = self.budget.limit_tokens
        if limit is not None and max(least, 0) > limit:
            raise ModelRateLimited(
                f"This call needs about {counted(least, 'token')}, and the limit is {limit:,} for an interval: it would"
                " never be let through. Shorten the conversation or raise limit_tokens."
            )
        permit = Permit(tokens if limit is None else min(tokens, limit))
        gate = self._gates.setdefault(asyncio.get_running_loop(), _Gate(self._capacity))
        async with AsyncExitStack() as stack:
            with act(ActKind.WAIT, "limits"):
                await stack.enter_async_context(gate.under_way)
                await self._wait(gate, permit.reserved, timeout)
            try:
                yield permit
            except BaseException:
                await self.budget.settle((permit.taken or 0) - permit.reserved)
                raise
            if permit.taken is not None and permit.taken != permit.reserved:
                await self.budget.settle(permit.taken - permit.reserved)

    async def _wait(self, gate: _Gate, tokens: int, timeout: float | None) -> None:
        deadline = math.inf if timeout is None else self._clock() + timeout
        self._waiting += 1
        try:
            # asyncio's lock is fair, and who holds it is the next: nobody small overtakes somebody big.
            async with gate.turn:
                while wait := await self.budget.reserve(1, tokens, self._waiting):
                    if self._clock() + wait / 1000 > deadline:
                        raise ModelRateLimited(
                            f"The budget of this model lets the call through in {wait / 1000:.3g} s at the earliest,"
                            " which is after its deadline. Raise the limits or the timeout."
                        )
                    await self._sleep(wait / 1000)
        finally:
            self._waiting -= 1

    def __repr__(self) -> str:
        return f"RateLimitedProcessor({self.budget!r}, {self._waiting} waiting)"


class _Bucket:
    """Fills steadily, up to its limit; None: it is never empty."""

    def __init__(self, limit: int | None, interval: float, clock: Callable[[], float]) -> None:
        self._limit = limit
        self._rate = (limit or 0) / interval
        self._clock = clock
        self._level = float(limit or 0)
        self._at = clock()

    def wait_for(self, amount: int) -> float:
        """Return after how many seconds so much will be there."""
        if self._limit is None or amount <= 0:
            return 0.0
        now = self._clock()
        self._level = min(float(self._limit), self._level + (now - self._at) * self._rate)
        self._at = now
        # What is short by less than a thousandth is rounding.
        short = amount - self._level
        return short / self._rate if short > 1e-3 else 0.0

    def take(self, amount: int) -> None:
        """Take so much, even if it is not there; a negative amount is given back."""
        if self._limit is not None:
            self._level = min(float(self._limit), self._level - amount)

    def __str__(self) -> str:
        return "unlimited" if self._limit is None else f"{self._level:.6g} of {self._limit}"


class _Gate:
    """What the calls of one event loop wait at."""

    def __init__(self, capacity: int | None) -> None:
        self.turn = asyncio.Lock()
        self.under_way = asyncio.Semaphore(capacity or 2**31)
