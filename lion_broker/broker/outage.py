"""What a process knows of a server that does not answer: all exchanges with one server share it, by its URL."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Final
from weakref import WeakSet

from redis import exceptions as errors

from lion_broker.errors import BrokerUnavailable, LionError, ServerBusy
from lion_broker.telemetry import logger
from lion_broker.telemetry.counts import counts_here

from .connection import translate, without_secrets
from .quorum import TooFewReplicas

__all__ = ["Outage", "leaving", "outage_of"]

log = logger("broker")

_TOLD_SECONDS: Final = 60.0
_NOBODY: Final = (errors.ConnectionError, errors.TimeoutError, OSError)

_leaves: ContextVar[bool] = ContextVar("lion_broker_leaves", default=False)


@contextmanager
def leaving() -> Iterator[None]:
    """Within this a session is closed: the patience that somebody else has just used up counts for it, too.

    Twenty sessions of a server that is gone then end as fast as one.
    """
    before = _leaves.set(True)
    try:
        yield
    finally:
        _leaves.reset(before)


class Outage:
    """A server as it was found last. Safe to use from several threads."""

    def __init__(self) -> None:
        self._error = ""
        self._at = self._since = 0.0
        self._where = ""
        self._told = -_TOLD_SECONDS
        self._busy: tuple[float, str] | None = None
        self._keepers: WeakSet[Sized] = WeakSet()
        self._lock = threading.Lock()

    def disturbs(self, error: Exception, url: str) -> None:
        """Count an error that passes; that the server loads its data, or is busy, is said in one line of the log."""
        if (counts := counts_here()) is not None:
            counts.add("lion_broker_redis_disruptions_total")
        told = translate(error, url)
        if isinstance(told, ServerBusy):
            with self._lock:
                before, self._busy = self._busy, (time.monotonic(), str(told))
            if before is None or before[1] != str(told):
                log.warning("waiting for the server: %s", told)

    def found(self, error: Exception, url: str, patience: float) -> LionError:
        """Return the package's error for one of a call that ends with it; that no server answers is kept.

        It is not so where the server has said within the `patience` that it comes: it may be started anew.
        """
        told = translate(error, url)
        nobody = isinstance(error, _NOBODY) and not isinstance(error, TooFewReplicas)
        if nobody and (busy := self._busy) and time.monotonic() - busy[0] < patience:
            told = ServerBusy(busy[1])
        # That too few replicas have a write says nothing of the next call.
        if isinstance(told, BrokerUnavailable) and not isinstance(error, TooFewReplicas):
            with self._lock:
                now = time.monotonic()
                self._since = self._since if self._error else now
                self._at, self._error, self._where = now, str(told), without_secrets(url)
        return told

    def ends(self) -> None:
        """A call was answered."""
        if self._error or self._busy:
            with self._lock:
                missed, self._error, self._busy = self._error, "", None
            if missed:
                log.info("the server at %s answers again, after %.1f s", self._where, time.monotonic() - self._since)

    @property
    def goes_on(self) -> bool:
        """Whether no call was answered since one has found that no server answers."""
        return bool(self._error)

    def is_known(self, seconds: float) -> bool:
        """Whether a call has found so in the last seconds, and none was answered since."""
        return bool(self._error) and time.monotonic() - self._at < seconds

    def check(self, patience: float) -> None:
        """Raise BrokerUnavailable for who is `leaving` and would only find what a call has found a moment ago."""
        if self._error and _leaves.get() and self.is_known(patience):
            raise BrokerUnavailable(self._error)

    def concerns(self, keeper: Sized) -> None:
        """Take note of somebody who keeps leases at this server, so many as its length says when it is asked."""
        with self._lock:
            self._keepers.add(keeper)

    def tell(self, renewed: int) -> int:
        """Return how many leases are concerned, once a minute; 0 when it was told lately.

        At least those that were to be `renewed`: a branch may have been left while nobody answered.
        """
        now = time.monotonic()
        with self._lock:
            if now - self._told < _TOLD_SECONDS:
                return 0
            self._told = now
            return max(renewed, sum(len(keeper) for keeper in self._keepers))


@lru_cache(maxsize=256)
def outage_of(url: str) -> Outage:
    """Return what is known of the server at a URL; the same object for all who ask."""
    return Outage()
