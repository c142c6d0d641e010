"""Gives the work of dead workers to others, and has what is due delivered; any number may do so at once."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Final

import anyio

from lion_broker.core.numbers import counted
from lion_broker.errors import LionError
from lion_broker.mail.exchange import Exchange
from lion_broker.mail.verbs import Promote, Sweep, Tidy
from lion_broker.telemetry import logger
from lion_broker.telemetry.counts import counts_here

__all__ = ["Sweeper"]

log = logger("sweeper")

_LIMIT: Final = 100
_TROUBLED_SECONDS: Final = 0.5
_TIDY_SECONDS: Final = 60.0


class Sweeper:
    """Looks through the ready entries of a pool for such whose reader is gone.

    Looks often enough that a dead worker's branch is taken over within a second after its lease. Of all pools it sees
    to mail that was delayed or is to be tried again: that comes at most half a second late. What time it is by the
    server's clock, in ms, is `told` as often.
    """

    def __init__(self, exchange: Exchange, pool: str, lease_ms: int, told: Callable[[int], None] | None = None) -> None:
        self._exchange = exchange
        self._told = told
        self._pool = pool
        self._lease_ms = lease_ms
        self.renewed = 0

    async def run(self) -> None:
        """Sweep until cancelled."""
        usual, trouble, tidied = min(0.5, self._lease_ms / 10_000), "", -math.inf
        while True:
            # Jitter keeps many sweepers apart.
            jitter = random.uniform(0.5, 1.0)  # noqa: S311
            rest = usual * jitter
            try:
                await self.sweep()
                rest = min(rest, await self.promote())
                if anyio.current_time() - tidied > _TIDY_SECONDS:
                    await self._exchange.acall(Tidy(self._pool))
                    tidied = anyio.current_time()
                trouble = ""
            except LionError as error:
                if str(error) != trouble:
                    trouble = str(error)
                    log.warning("sweep failed: %s", error)
                rest = _TROUBLED_SECONDS * jitter
            await anyio.sleep(rest)

    async def promote(self) -> float:
        """Let everything that is due go on; returns the seconds until more is."""
        while True:
            promoted = await self._exchange.acall(Promote(limit=_LIMIT))
            if self._told is not None:
                self._told(promoted.now)
            if promoted.seen < _LIMIT:
                # The server counts in milliseconds, and is asked not before the next one has come.
                return math.inf if promoted.next_ms is None else promoted.next_ms / 1000 + 0.001

    async def sweep(self) -> int:
        """Sweep once, through everything that is due; returns how many branches were given to others."""
        renewed = 0
        while True:
            swept = await self._exchange.acall(Sweep(self._pool, self._lease_ms, _LIMIT))
            renewed += swept.renewed
            # A full page may hide more. What belongs to living owners counts as looked at, so this comes to an end.
            if swept.seen < _LIMIT:
                break
        if renewed:
            self.renewed += renewed
            if (counts := counts_here()) is not None:
                counts.add("lion_broker_reclaimed_total", renewed)
            log.info("pool %s: %s of dead workers given to others", self._pool, counted(renewed, "branch"))
        return renewed
