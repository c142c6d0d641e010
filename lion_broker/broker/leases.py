"""Keeps leases alive from a thread of its own, which no busy event loop can starve."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from lion_broker.core.numbers import counted
from lion_broker.errors import LionError
from lion_broker.mail.exchange import Exchange
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.verbs import Release, Renew, Station
from lion_broker.telemetry import logger

from .outage import outage_of

__all__ = ["LeaseKeeper"]

log = logger("leases")

_NOTICE_SECONDS: Final = 1.0
_KNOWN_SECONDS: Final = 30.0
"""For how long it is taken for granted that a server is gone which has answered nobody since."""


class LeaseKeeper:
    """Renews the leases of this process every third of their length, all in one call.

    Renewals that fail are told of once a minute, for all leases that this process has at the server.
    `on_cancelled` is called, in the keeper's thread, with each station of which somebody has cancelled a command; a
    second at most passes before it is. So is `on_lost`, once, with each whose lease is its no more: somebody has taken
    the branch, or stopped its turn. `at` says which mail a station is at. The thread starts with the first lease and
    stops with `close`, which may be called twice.
    """

    def __init__(
        self,
        exchange: Exchange,
        lease_ms: int,
        on_cancelled: Callable[[Station], None] | None = None,
        on_lost: Callable[[Station], None] | None = None,
        at: Callable[[Station], str] | None = None,
    ) -> None:
        self._exchange = exchange
        self._outage = outage_of(exchange.url)
        self._outage.concerns(self)
        self._pause = lease_ms / 3000 if on_cancelled is None else min(lease_ms / 3000, _NOTICE_SECONDS)
        self._lease_ms = lease_ms
        self._on_cancelled = on_cancelled
        self._on_lost = on_lost
        self._at = at
        self._stations: dict[Station, None] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, station: Station) -> None:
        """Begin to renew a lease."""
        with self._lock:
            self._stations[station] = None
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="lion-broker-leases", daemon=True)
                self._thread.start()

    def remove(self, station: Station) -> None:
        """Renew a lease no longer; an unknown one is ignored."""
        with self._lock:
            self._stations.pop(station, None)

    def release_all(self) -> None:
        """Hand every branch back at once, so that others need not wait for the leases to end."""
        stations = self._drop_all()
        if stations:
            self._exchange.call(Release(stations))

    def close(self) -> None:
        """Stop renewing; leases that are still held end by themselves."""
        self._stopped.set()
        self._drop_all()
        if self._thread is not None and self._thread is not threading.current_thread():
            # One that waits for a server that is gone ends when its patience does; nobody else has to wait for it.
            self._thread.join(0 if self._outage.is_known(_KNOWN_SECONDS) else None)

    def _drop_all(self) -> tuple[Station, ...]:
        with self._lock:
            stations = tuple(self._stations)
            self._stations.clear()
        return stations

    def _run(self) -> None:
        while not self._stopped.wait(self._pause):
            with self._lock:
                stations = tuple(self._stations)
            if stations:
                self._renew(stations)

    def _renew(self, stations: tuple[Station, ...]) -> None:
        at = tuple(map(self._at, stations)) if self._at is not None else ()
        try:
            outcomes = self._exchange.call(Renew(stations, self._lease_ms, at))
        except LionError as error:
            if concerned := self._outage.tell(len(stations)):
                log.warning("leases of %s could not be renewed: %s", counted(concerned, "branch"), error)
            return
        for station, outcome in zip(stations, outcomes, strict=True):
            if outcome == Outcome.FENCED:
                self.remove(station)
                if self._on_lost is not None:
                    self._on_lost(station)
            elif outcome == Outcome.CANCELLED and self._on_cancelled is not None:
                self._on_cancelled(station)

    def __len__(self) -> int:
        return len(self._stations)

    def __repr__(self) -> str:
        return f"LeaseKeeper({counted(len(self._stations), 'lease')} of {self._lease_ms / 1000:g} s)"
