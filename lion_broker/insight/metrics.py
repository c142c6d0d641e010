"""What a namespace as a whole looks like to Prometheus: read when it is scraped, within bounds, and not too often."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Final

import anyio.to_thread

from lion_broker.errors import BrokerError
from lion_broker.mail.exchange import Exchange, Steps, ask, run
from lion_broker.mail.verbs import ReadBranches
from lion_broker.telemetry import logger
from lion_broker.telemetry.counts import Family
from lion_broker.telemetry.exposition import CONTENT_TYPE, gauge, metrics_page, metrics_text

from .overview import Overview, overview_steps

__all__ = ["CONTENT_TYPE", "NamespaceMetrics"]

log = logger("metrics")

_MOST_SESSIONS: Final = 10_000
_BUSIEST: Final = 100
"""Sessions whose branches are shown one by one."""
_MOST_BRANCHES: Final = 1000
_OTHER: Final = ("other", "other")


class NamespaceMetrics:
    """The metrics of a namespace, beside those of the process that asks; safe from several threads and event loops.

    What the server has said is shown again for `fresh` seconds, however many ask; while it does not answer, what it
    keeps is left out. With `per_branch` the depth of mailboxes is shown for up to 1,000 branches of the 100 busiest
    sessions, and of the others together as `other`. `clock` counts seconds.
    """

    def __init__(
        self,
        exchange: Exchange,
        *,
        per_branch: bool = False,
        fresh: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._exchange = exchange
        self._per_branch = per_branch
        self._fresh = fresh
        self._clock = clock
        self._lock = Lock()
        self._known: tuple[Family, ...] = ()
        self._until = float("-inf")

    def text(self) -> bytes:
        """Return the metrics in Prometheus' text format, of the type CONTENT_TYPE; blocks.

        Raises ConfigError where prometheus-client is not installed.
        """
        return metrics_text(self.families)

    async def atext(self) -> bytes:
        """Return the same without blocking the event loop."""
        return await anyio.to_thread.run_sync(self.text)

    def page(self, accept: str) -> tuple[bytes, str]:
        """Return the metrics in the format that an Accept header prefers, and its type: OpenMetrics, or as `text` does.

        Blocks. Raises ConfigError where prometheus-client is not installed.
        """
        return metrics_page(accept, self.families)

    async def apage(self, accept: str) -> tuple[bytes, str]:
        """Return the same without blocking the event loop."""
        return await anyio.to_thread.run_sync(self.page, accept)

    def families(self) -> Sequence[Family]:
        """Return what is known of the namespace, read anew if that is too old; blocks."""
        with self._lock:
            if self._clock() >= self._until:
                try:
                    self._known = run(self._exchange, self._steps())
                except BrokerError as error:
                    log.warning("metrics of the namespace are left out: %s", error)
                    self._known = ()
                self._until = self._clock() + self._fresh
            return self._known

    def _steps(self) -> Steps[tuple[Family, ...]]:
        overview = yield from overview_steps(_MOST_SESSIONS)
        depths = [(float(overview.inflight), ())] if not self._per_branch else (yield from _depths_steps(overview))
        pools = overview.pools
        return (
            gauge("lion_broker_mailbox_depth", *depths),
            gauge("lion_broker_mailbox_lag", *[(pool.ready, (pool.pool,)) for pool in pools]),
            gauge("lion_broker_mailbox_pending", *[(pool.claimed, (pool.pool,)) for pool in pools]),
            gauge("lion_broker_mailbox_oldest_seconds", *[(pool.oldest_seconds, (pool.pool,)) for pool in pools]),
            gauge("lion_broker_dlq_depth", (overview.dead, ())),
            gauge("lion_broker_sessions_open", (overview.sessions, ())),
            gauge("lion_broker_branches_open", (overview.branches, ())),
            gauge("lion_broker_branches_paused", *[(pool.paused, (pool.pool,)) for pool in pools]),
        )


def _depths_steps(overview: Overview) -> Steps[list[tuple[float, tuple[str, ...]]]]:
    """How much waits for each branch, with session and branch as labels."""
    found: list[tuple[float, tuple[str, ...]]] = []
    for tally in overview.busiest(_BUSIEST):
        for branch in (yield from ask(ReadBranches(tally.session, count=_MOST_BRANCHES))):
            depth = branch.waiting + branch.deferred
            if depth and len(found) < _MOST_BRANCHES:
                found.append((depth, (tally.session, branch.id)))
    rest = overview.inflight - sum(depth for depth, _ in found)
    return [*found, (max(0.0, rest), _OTHER)]
