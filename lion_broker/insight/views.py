"""The values that status, tail, trace and dashboard show: frozen, of plain values, ready for JSON. Times in seconds.

Moments are seconds since the epoch by the server's clock, unless it is said that they are a sender's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from lion_broker.mail.deployment import BEHIND_SECONDS

__all__ = [
    "WORKER_LOST",
    "Edge",
    "Flow",
    "Happening",
    "Lanes",
    "Passage",
    "PoolView",
    "Span",
    "Trace",
    "WorkerView",
]

WORKER_LOST: Final = "WorkerLost"
"""What an attempt ended with that left no record: its worker died, or lost its lease."""


@dataclass(frozen=True, slots=True)
class WorkerView:
    """A worker as its last heartbeat told: who, where, since when, and what it does.

    `state` is `running`, `draining`, `stopped` (it said so itself) or `lost` (its heartbeat is overdue). `late_seconds`
    is how late its event loop was, None where that is not known: of one that is gone, or of an earlier version.
    `behaviours` are those that its registry has; None where it has not said so, or has too many.
    """

    owner: str
    pool: str
    state: str
    host: str
    pid: int
    version: str
    started: float
    heard: float
    concurrency: int
    active: int
    turns: int
    mails: int
    rescued: int
    late_seconds: float | None = None
    behaviours: tuple[str, ...] | None = None

    @property
    def is_behind(self) -> bool:
        """Whether it has more to do than it can."""
        return self.late_seconds is not None and self.late_seconds >= BEHIND_SECONDS


@dataclass(frozen=True, slots=True)
class PoolView:
    """A pool: branches that wait for a worker and that are being worked on, the oldest wait, and who serves it.

    `wanted` is how many workers `scale` has asked for; None when nobody has. `paused` of its branches take no turns;
    `pause` is why the whole pool is paused, with what is made for it later, if it is.
    """

    pool: str
    ready: int
    claimed: int
    oldest_seconds: float
    workers: int
    capacity: int
    wanted: int | None = None
    paused: int = 0
    pause: str = ""


@dataclass(frozen=True, slots=True)
class Edge:
    """How many mails of a category one branch has sent to another."""

    sender: str
    recipient: str
    category: str
    mails: int


@dataclass(frozen=True, slots=True)
class Flow:
    """Who mails whom in a session: ids of the branches with their names, and the edges between them."""

    names: dict[str, str]
    edges: tuple[Edge, ...]


@dataclass(frozen=True, slots=True)
class Passage:
    """The way of one mail: from whom to whom, and when it was sent, delivered, begun and applied, as far as known.

    `sent` is by the sender's clock. `state` is `waiting`, `working`, `applied`, `retrying`, `delayed` or `dead`, and
    `gone` for mail of which nothing is kept any more: a dropped dead letter, a removed branch's history. `sent` is mail
    of which only the sending was read: what became of it stands where a bounded look does not reach. `where` is the
    station at which it waits, `due` until when if it is for a time, `expires` by when a worker must have it, if its
    sender has said so; `text` is the beginning of what it says. `since` is when its worker said first that it is at it,
    a second at most after it has begun; None while it has said nothing, and for what nobody is at.
    """

    mail: str
    sender: str
    recipient: str
    category: str
    text: str
    state: str
    sent: float
    delivered: float | None = None
    begun: float | None = None
    applied: float | None = None
    attempts: int = 1
    owner: str = ""
    in_reply_to: str | None = None
    reason: str = ""
    where: str = ""
    due: float | None = None
    letter: str = ""
    expires: float | None = None
    since: float | None = None

    @property
    def waited(self) -> float | None:
        """For how many seconds it has waited in a mailbox until somebody began with it, where both are known."""
        return None if self.begun is None or self.delivered is None else max(0.0, self.begun - self.delivered)

    def took(self, now: float) -> float | None:
        """How many seconds it took until its effect was committed, or is being worked at `now`; None if not known."""
        if self.applied is not None and self.begun is not None:
            return max(0.0, self.applied - self.begun)
        return None if self.state != "working" or self.since is None else max(0.0, now - self.since)


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened in a session, of a mail where it is one; `id` resumes a tail after it.

    `kind` is `sent` (by a commit), `applied`, `failed` (an attempt; `error` has its class), `aside`, `dead`,
    `said` (a part of a streamed answer), `created`, `closed`, `paused`, `resumed`, `exhumed`, `dropped`, or
    `gap`: what happened between two moments is in the logs only. `branch` is where it happened, `text` the beginning of
    what was said, or the reason; `detail` what was said with an error, in one line without credentials.
    """

    id: str
    at: float
    kind: str
    branch: str = ""
    mail: str = ""
    category: str = ""
    sender: str = ""
    recipient: str = ""
    text: str = ""
    owner: str = ""
    error: str = ""
    attempt: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Lanes:
    """Passages in the order of sending, with the names of the branches; `more` says that there are older ones."""

    names: dict[str, str]
    passages: tuple[Passage, ...]
    more: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """One bar of a waterfall, in seconds since the epoch and how many of them.

    `queued`: it waited in the mailbox; `leased`: a worker had it and did others first; `work`: an attempt, with what it
    did in it: `model`, `tool`, and `wait` for a limit, or for the next attempt; `delivered`: from the end of it to the
    commit, with which its effect and the mail that it sent are there. `error` is the class of what was raised.
    """

    kind: str
    name: str
    began: float
    seconds: float
    error: str = ""
    fields: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trace:
    """A mail with what it led to: its own passage and spans, and the traces of the mails sent while it was handled.

    `left_out` counts mails that it led to and that are not shown, because they are too many or too deep.
    """

    passage: Passage
    spans: tuple[Span, ...]
    caused: tuple[Trace, ...] = ()
    left_out: int = 0

    @property
    def lost(self) -> tuple[str, ...]:
        """The workers that had the mail and were lost, in order."""
        cut = (span.fields.get("owners") for span in self.spans if span.error == WORKER_LOST)
        return tuple(dict.fromkeys(str(owner) for owners in cut if isinstance(owners, list) for owner in owners))
