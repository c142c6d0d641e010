"""How long mail takes: a sample of the turns that were committed since the last look, a bounded number of them.

Counters tell how much mail there was, and nothing of how long it waited; that stands in the logs, of which a few are
read at each look: those of the sessions that move most.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lion_broker.branch.journal import Kind
from lion_broker.branch.turn_times import Attempt, End, delivered_at, read_times
from lion_broker.mail.exchange import Steps
from lion_broker.mail.records import LogRecord, Occurrence
from lion_broker.mail.verbs import ReadEvents, ReadLog, Verb

__all__ = ["Sample", "Sampled", "percentile"]

_SESSIONS: Final = 10
_EVENTS: Final = 100
_TURNS: Final = 40
_RECORDS: Final = 20
_LAST_PLACE: Final = 2**53
_WINDOW_SECONDS: Final = 60.0
_MOST: Final = 2000


@dataclass(frozen=True, slots=True)
class Sampled:
    """What the attempts of the last minute that were looked at tell: how many, how many failed, and how long.

    `wait_p95` is from delivery to the beginning of the first attempt, `work_p95` how long attempts took: in seconds,
    None where nothing was seen.
    """

    attempts: int = 0
    failed: int = 0
    wait_p95: float | None = None
    work_p95: float | None = None


@dataclass(frozen=True, slots=True)
class _Seen:
    at: float
    waited: float | None
    worked: float
    failed: bool


class Sample:
    """Looks at turns, and remembers those of the last minute."""

    def __init__(self) -> None:
        self._places: dict[str, str] = {}
        self._seen: deque[_Seen] = deque(maxlen=_MOST)

    def look_steps(self, grown: Mapping[str, int]) -> Steps[Sampled]:
        """Look at sessions, given with how much mail each has applied since the last time; three round trips."""
        chosen = sorted(grown, key=lambda one: -grown[one])[:_SESSIONS]
        self._places = {one: place for one, place in self._places.items() if one in grown} | {
            one: self._places.get(one, "$") for one in chosen
        }
        verbs: list[Verb[Any]] = [ReadEvents(one, self._places[one], _EVENTS) for one in chosen]
        pages: list[tuple[Occurrence, ...]] = (yield verbs) if verbs else []
        turns: list[tuple[str, str, int]] = []
        for session, page in zip(chosen, pages, strict=True):
            if page:
                self._places[session] = page[-1].id
            turns += [(session, *turn) for one in page if (turn := _turn_of(one)) is not None]
        logs: list[Verb[Any]] = [
            ReadLog(session, branch, version - 1, _LAST_PLACE if version > 1 else 0, _RECORDS)
            for session, branch, version in turns[-_TURNS:]
        ]
        found: list[tuple[LogRecord, ...]] = (yield logs) if logs else []
        for (_, _, version), rows in zip(turns[-_TURNS:], found, strict=True):
            self._take(version, rows)
        return self.sampled()

    def sampled(self) -> Sampled:
        """What the last minute tells."""
        since = time.monotonic() - _WINDOW_SECONDS
        while self._seen and self._seen[0].at < since:
            self._seen.popleft()
        waits = [one.waited for one in self._seen if one.waited is not None]
        failed = sum(one.failed for one in self._seen)
        return Sampled(
            len(self._seen), failed, percentile(waits, 0.95), percentile([one.worked for one in self._seen], 0.95)
        )

    def _take(self, version: int, rows: Sequence[LogRecord]) -> None:
        for row in rows:
            if row.version != version or row.record.kind != Kind.TIMES:
                continue
            try:
                attempts = read_times(row.record.body).attempts
            except (ValueError, TypeError, LookupError):
                # Something else wrote it.
                continue
            self._seen += [_seen(one) for one in attempts]


def percentile(values: Sequence[float], share: float) -> float | None:
    """Return the smallest of some values that is at least as large as a share of them; None of none."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _turn_of(one: Occurrence) -> tuple[str, int] | None:
    """Branch and version of a turn that has handled something, or has put it off."""
    version = one.fields.get("version", "")
    tried = any(one.fields.get(name, "0") != "0" for name in ("handled", "deferred"))
    if one.kind != "turn" or not version.isdecimal() or not tried:
        return None
    return one.fields["branch"], int(version)


def _seen(one: Attempt) -> _Seen:
    delivered = delivered_at(one.entry) if one.number == 1 else None
    waited = None if delivered is None else max(0.0, one.begun - delivered)
    failed = one.end in (End.RETRY, End.DEAD)
    return _Seen(time.monotonic(), waited, max(0.0, one.ended - one.begun), failed)
