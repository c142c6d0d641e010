"""Tells the register how a worker is, from a thread of its own, and brings back what it is told to do."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Final

from lion_broker.branch.registry import Registry
from lion_broker.errors import LionError
from lion_broker.mail.deployment import Order, WorkerReport
from lion_broker.mail.exchange import Exchange
from lion_broker.mail.verbs import Enrol
from lion_broker.telemetry import logger

__all__ = ["Heartbeat", "beat_ms", "told_behaviours"]

log = logger("heartbeat")

_LONGEST_MS: Final = 2500
_KEPT_MS: Final = 600_000
"""For how long a worker that is not heard of any more is shown."""
_FAREWELL_MS: Final = 60_000
"""The same for one that has said that it stops."""
_PARTING_SECONDS: Final = 1.0
_NAMES: Final = 2000
"""Signs of all names of behaviours that a heartbeat has room for."""


def beat_ms(lease_ms: int) -> int:
    """After how many ms a worker reports again: four times within a lease, or within ten seconds."""
    return min(_LONGEST_MS, max(1, lease_ms // 4))


def told_behaviours(registry: Registry) -> tuple[str, ...] | None:
    """The behaviours that a worker tells of with each heartbeat; None where they are more than that is worth."""
    names = registry.behaviour_names
    return names if sum(map(len, names)) <= _NAMES else None


class Heartbeat:
    """Reports every `seconds` or a little sooner; what it is told to do goes to `on_order`, in this thread, each time.

    A report that cannot be delivered is dropped: turns never wait for one, and never fail with one. The thread lets a
    worker be seen alive whose event loop is busy with a behaviour that computes.
    """

    def __init__(
        self,
        exchange: Exchange,
        report: Callable[[], WorkerReport],
        seconds: float,
        on_order: Callable[[Order], None],
    ) -> None:
        self._exchange = exchange
        self._report = report
        self._seconds = seconds
        self._on_order = on_order
        self._trouble = ""
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lion-broker-heartbeat", daemon=True)

    def start(self) -> None:
        """Report at once, and from then on."""
        self._thread.start()

    def stop(self) -> None:
        """Report once more, the last time. Blocks for a second at most when the server does not answer."""
        self._stopped.set()
        self._thread.join(_PARTING_SECONDS)
        # A server that has not answered before need not be waited for again; the entry leaves by itself.
        if not self._trouble and not self._thread.is_alive():
            self._beat(_FAREWELL_MS)

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._beat(_KEPT_MS)
            # Jitter keeps the heartbeats of many workers apart.
            self._stopped.wait(self._seconds * random.uniform(0.75, 1.0))  # noqa: S311

    def _beat(self, keep_ms: int) -> None:
        try:
            order = self._exchange.call(Enrol(self._report(), keep_ms))
        except LionError as error:
            if not self._trouble:
                log.warning("the register of workers could not be told: %s", error)
            self._trouble = str(error)
            return
        self._trouble = ""
        if order is not Order.NONE:
            self._on_order(order)
