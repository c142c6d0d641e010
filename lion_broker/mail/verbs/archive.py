"""What an export reads and an import puts back."""

from __future__ import annotations

from dataclasses import dataclass

from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import DeadLetter, LogRecord, Queue, Waiting

from .verb import Verb

__all__ = ["IMPORTING", "ReadQueue", "Restore"]

IMPORTING = "importing"
"""The field of a session that is being imported; such a one is not to be opened yet."""


@dataclass(frozen=True, slots=True)
class ReadQueue(Verb[tuple[Waiting, ...]]):
    """Read up to `count` mails, fewer large ones, that wait in one of a branch's queues, in order; nothing moves.

    `past` is the place of the last one that was read, empty for the first. What changes meanwhile may be left out or
    read twice in the queue `delayed`.
    """

    session: str
    branch: str
    queue: Queue
    past: str = ""
    count: int = 200


@dataclass(frozen=True, slots=True)
class Restore(Verb[Outcome]):
    """Put a part of an export back into a branch of a session whose field `importing` is set.

    `rows` go into the log under their own versions and places, `mails` into their queues, `dead` among the session's
    dead letters under their own ids. Parts are numbered from 1 for the whole session; each has one effect. The last
    part has `done`, which removes the field. OK; ALREADY for a number that was used, GAP for one too high; STALE for a
    session that is not being imported; UNKNOWN and CLOSED of the branch.
    """

    session: str
    branch: str
    part: int
    rows: tuple[LogRecord, ...] = ()
    mails: tuple[Waiting, ...] = ()
    dead: tuple[DeadLetter, ...] = ()
    done: bool = False
