"""When a turn did what: one record of its log, with names and figures; of what was said, the words of an error only.

    {at, came}            mails that were only written down: the entries that they had in the mailbox
    {at, mails, details}  mails that were worked at: [mail, entry, begun, ended, attempts, end, error, acts], what is
                          empty at the end left out; an act is [kind, name, began, took, error, fields]. `details` has
                          by mail what was said with its error, if there was one

`at` is when the mails were handed out, in ms by the exchange's clock; moments in a turn are microseconds since then.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from pydantic_core import from_json, to_json

from lion_broker.core.portable import one_line, readable
from lion_broker.mail.records import Record
from lion_broker.telemetry.acts import Act, ActKind
from lion_broker.telemetry.lines import without_credentials

from .journal import Kind

__all__ = [
    "LONGEST_DETAIL",
    "Attempt",
    "End",
    "TurnClock",
    "TurnTimes",
    "attempts_record",
    "came_record",
    "delivered_at",
    "read_times",
]  # fmt: skip

_MOST_ACTS: Final = 200
"""Acts of one attempt that are written down; what calls more often than that is no longer read one by one."""
_LONGEST_NAME: Final = 200
LONGEST_DETAIL: Final = 200
"""Characters that are kept of what was said with an error."""
_SHORTEST_WAIT: Final = 0.001
"""Seconds; whoever waits for less has not been held up."""
_FIELDS_BYTES: Final = 2000


class End(StrEnum):
    """What came of an attempt at a mail; empty when it was applied."""

    APPLIED = ""
    RETRY = "retry"
    DEAD = "dead"
    ASIDE = "aside"
    HALTED = "halted"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What happened to a mail in one turn: the how manieth attempt it was, from when to when, and how it ended.

    It was `given` to the worker, `begun` and `ended`: seconds since the epoch by the exchange's clock, as far as a
    worker knows it, and so is when an act began. `error` is the class of what was raised, and `detail` the beginning of
    what it said, in one line and without credentials.
    """

    mail: str
    entry: str
    given: float
    begun: float
    ended: float
    number: int = 1
    end: End = End.APPLIED
    error: str = ""
    acts: tuple[Act, ...] = ()
    detail: str = ""


@dataclass(frozen=True, slots=True)
class TurnTimes:
    """What a record says: when the mails were handed out, the attempts, or when each was delivered. In seconds."""

    at: float
    attempts: tuple[Attempt, ...] = ()
    came: tuple[float | None, ...] = ()


class TurnClock:
    """Times the mails of one turn; `now` is the exchange's time in ms when they were handed out, `since` our own."""

    __slots__ = ("_acts", "_details", "_rows", "now", "since")

    def __init__(self, now: int, since: float) -> None:
        self.now = now
        self.since = since
        self._rows: list[list[Any]] = []
        self._details: dict[str, str] = {}
        self._acts = 0

    def note(self, mail: str, entry: str, begun: float, attempts: int) -> None:
        """Note an attempt that ends now and was begun at a time of the monotonic clock; how, is for `ended` to say."""
        since = self.since
        self._rows.append([mail, entry, int((begun - since) * 1e6), int((time.monotonic() - since) * 1e6), attempts])

    def ended(self, end: End, error: BaseException | None, acts: list[Act]) -> None:
        """Note how the attempt that was noted last ended, and those of the acts that were not there before."""
        wall = time.time() - (time.monotonic() - self.since)
        told = [_act_row(act, wall) for act in acts[self._acts :][:_MOST_ACTS] if _counts(act)]
        self._acts = len(acts)
        name = "" if error is None else type(error).__name__[:_LONGEST_NAME]
        if error is not None and (said := one_line(without_credentials(readable(error)), LONGEST_DETAIL)):
            self._details[self._rows[-1][0]] = said
        if end or name or told:
            self._rows[-1] += [str(end), name, told] if told else [str(end), name]

    def record(self) -> tuple[Record, ...]:
        """The record of the turn, if there is anything to say."""
        return (attempts_record(self.now, self._rows, self._details),) if self._rows else ()


def attempts_record(now: int, rows: list[list[Any]], details: Mapping[str, str] | None = None) -> Record:
    """Return the record of mails that were worked at."""
    told = {"details": details} if details else {}
    return Record(Kind.TIMES, to_json({"at": now, "mails": rows, **told}))


def came_record(now: int, entries: list[str]) -> Record:
    """Return the record of mails that were written down, in their order, by their entries in the mailbox."""
    return Record(Kind.TIMES, to_json({"at": now, "came": entries}))


def read_times(body: bytes) -> TurnTimes:
    """Return what a record says; raises ValueError, TypeError, LookupError for what this module has not written."""
    value = from_json(body)
    at = float(value["at"]) / 1000
    if "came" in value:
        return TurnTimes(at, came=tuple(delivered_at(entry) for entry in value["came"]))
    attempts = tuple(_attempt(at, *row) for row in value["mails"])
    if details := value.get("details"):
        attempts = tuple(replace(one, detail=str(details.get(one.mail, ""))) for one in attempts)
    return TurnTimes(at, attempts)


def delivered_at(entry: str) -> float | None:
    """When a mail was delivered, by the entry that it got: seconds since the epoch; None for what is no entry."""
    ms = entry.partition("-")[0]
    return int(ms) / 1000 if ms.isdecimal() and len(ms) < 16 and int(ms) else None


def _counts(act: Act) -> bool:
    return act.kind != ActKind.WAIT or act.seconds >= _SHORTEST_WAIT


def _act_row(act: Act, wall: float) -> list[Any]:
    row: list[Any] = [str(act.kind), readable(act.name, _LONGEST_NAME)]
    row += [int((act.began - wall) * 1e6), int(act.seconds * 1e6), act.error[:_LONGEST_NAME]]
    if act.fields and len(to_json(act.fields, fallback=repr)) <= _FIELDS_BYTES:
        row.append(from_json(to_json(act.fields, fallback=repr)))
    return row


def _attempt(
    at: float, mail: str, entry: str, begun: int, ended: int, number: int, end: str = "", error: str = "",
    acts: Sequence[Any] = (),
) -> Attempt:  # fmt: skip
    return Attempt(
        str(mail), str(entry), at, at + begun / 1e6, at + ended / 1e6, int(number), End(end), str(error),
        tuple(_act(at, *row) for row in acts),
    )  # fmt: skip


def _act(at: float, kind: str, name: str, began: int, took: int, error: str = "", fields: Any = None) -> Act:
    return Act(ActKind(kind), str(name), at + began / 1e6, took / 1e6, str(error), dict(fields or {}))
