"""Looks again, while a worker runs, whether its server still keeps what it promised."""

from __future__ import annotations

import random

import anyio

from lion_broker.errors import LionError, ServerUnsafe
from lion_broker.mail.exchange import Exchange
from lion_broker.telemetry import logger

__all__ = ["Inspector"]

log = logger("inspector")


class Inspector:
    """Inspects an exchange every `seconds` or so; what has changed is logged, and the worker goes on.

    A server that was made unsafe under a worker holds mail that somebody relies on: to stop would not make it safer.
    """

    def __init__(self, exchange: Exchange, seconds: float = 60.0) -> None:
        self._exchange = exchange
        self._seconds = seconds

    async def run(self) -> None:
        """Inspect until cancelled."""
        while True:
            # Jitter keeps the inspectors of many workers apart.
            await anyio.sleep(self._seconds * random.uniform(0.75, 1.0))  # noqa: S311
            await self.inspect()

    async def inspect(self) -> None:
        """Inspect once."""
        try:
            await self._exchange.ainspect()
        except ServerUnsafe as error:
            log.error("%s", error)
        except LionError as error:
            log.warning("the server could not be inspected: %s", error)
