"""What an in-process exchange holds, and the few moves that its verbs are made of.

A mail is at one station at a time: its sender's outbox, its recipient's transit, inbox or mailbox, or dead.
A branch of a pool whose mailbox holds mail has a mark: the id of its one entry in the ready stream.
"""

from __future__ import annotations

import time
from bisect import insort
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, Final

from lion_broker.mail.deployment import Enrolled
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import (
    OVER,
    START,
    AuditEntry,
    BranchSeed,
    Burial,
    Claimed,
    DeadLetter,
    Entry,
    LogRecord,
    Occurrence,
    ReadyEntry,
    Record,
    Rejected,
    Reply,
    Stamp,
    place_of,
)
from lion_broker.mail.wire import WireMail

from .pool import GIVEN_READY, Pool, Side
from .stream import Stream

__all__ = ["Branch", "Lane", "Pool", "Session", "Store", "Stream", "page", "with_owner"]

_EVENTS_KEPT: Final = 2000
_BYTES_AT_ONCE: Final = 1024 * 1024
_GIVEN_BYTES: Final = 4096
"""A larger mail is not handed out with the mark."""
_REFUSALS: Final = {
    Outcome.UNKNOWN: ("unknown_branch", "There is no such branch in the session."),
    Outcome.CLOSED: ("closed", "The branch was removed before it took this mail."),
    Outcome.FULL: ("full", "The branch had as much mail waiting as the session allows."),
}


@dataclass(slots=True)
class Lane:
    """Mail of one sender that waits to be tried again, from `due` on (ms).

    `attempts` were made at the first, by `owners`.
    """

    due: int
    attempts: int
    owners: tuple[str, ...]
    mails: Stream[WireMail] = field(default_factory=Stream)


@dataclass(order=True, slots=True)
class Delayed:
    """A mail that is to be delivered later, in the order of `due` (ms) and of acceptance."""

    due: int
    number: int
    straight: bool = field(compare=False)
    mail: WireMail = field(compare=False)


@dataclass(slots=True)
class Branch:
    """Where a branch stands.

    `handed` is the newest entry ever given out, `tries` how often the first was, before by `tried_by`; `lane` is the
    lane that the owner is working off; `notice` says that a command was cancelled during this lease, `at` which mail
    the bearer of which token is at, since which ms.
    """

    seed: BranchSeed
    open: bool = True
    token: str = ""
    owner: str = ""
    lease_end: float = 0.0
    cursor: str = START
    version: int = 0
    mark: str = ""
    handed: str = START
    tries: int = 0
    tried_by: tuple[str, ...] = ()
    lane: str = ""
    lanes: dict[str, Lane] = field(default_factory=dict)
    delayed: list[Delayed] = field(default_factory=list)
    paused: str = ""
    log: list[LogRecord] = field(default_factory=list)
    mailbox: Stream[WireMail] = field(default_factory=Stream)
    inbox: Stream[WireMail] = field(default_factory=Stream)
    outbox: Stream[WireMail] = field(default_factory=Stream)
    steps: dict[str, bytes] = field(default_factory=dict)
    cancelled: set[str] = field(default_factory=set)
    notice: bool = False
    at: tuple[str, str, int] = ("", "", 0)
    nonce: str | None = None
    closer: str = ""
    copies: str = ""
    copied: int = 0
    doomed: bool = False

    @property
    def id(self) -> str:
        """The branch's id."""
        return self.seed.id

    @property
    def unused(self) -> bool:
        """Whether the mark hands out the first mail, and nobody has been heard of who has it."""
        return bool(self.token) and self.token == self.mark and not self.lease_end

    @property
    def leased(self) -> bool:
        """Whether a lease is alive."""
        return bool(self.token) and self.lease_end > time.monotonic()

    def lease(self, token: str, owner: str, lease_ms: int) -> None:
        """Make the bearer of a token the owner from now on."""
        self.token, self.owner = token, owner
        self.lease_end = time.monotonic() + lease_ms / 1000

    def write(self, records: tuple[Record, ...], stamp: Stamp) -> None:
        """Write the next version into the log."""
        self.version += 1
        self.log += [
            LogRecord(self.version, place, record, stamp if place == 1 else None)
            for place, record in enumerate(records, 1)
        ]

    @property
    def deferred(self) -> int:
        """How many mails wait to be tried again."""
        return sum(len(lane.mails) for lane in self.lanes.values())

    def due_lane(self, now: int) -> str:
        """The sender whose lane has been due for longest, or an empty text."""
        due = [(lane.due, name) for name, lane in self.lanes.items() if lane.due <= now]
        return min(due)[1] if due else ""

    def has_work(self, now: int) -> bool:
        """Whether a worker would find something to do."""
        return self.open and not self.paused and bool(self.mailbox or self.due_lane(now))


def page(mails: Stream[WireMail], after: str, limit: int) -> tuple[Entry, ...]:
    """Up to `limit` mails after an entry, and after the first no more than about a mebibyte of them."""
    found: list[Entry] = []
    size = 0
    for entry, mail in mails.after(after, limit):
        size += weight(mail)
        if found and size > _BYTES_AT_ONCE:
            break
        found.append(Entry(entry, mail))
    return tuple(found)


def weight(mail: WireMail) -> int:
    """The bytes of a mail."""
    return len(mail.head) + len(mail.body)


def _is_small(mail: WireMail | Rejected) -> bool:
    return isinstance(mail, WireMail) and mail.header.blob is None and weight(mail) <= _GIVEN_BYTES


@dataclass(slots=True)
class Session:
    """A session and what it owns. `branches` are in order of creation, the session's own place first."""

    id: str
    fields: dict[str, str]
    cap: int
    cap_bytes: int
    branches: dict[str, Branch]
    counters: Counter[str] = field(default_factory=Counter)
    producers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    """The last number of each producer and what it had; since when there are any of these, and the ones before."""
    producers_begun: int = 0
    producers_before: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    transits: dict[str, Stream[WireMail]] = field(default_factory=dict)
    events: Stream[Occurrence] = field(default_factory=Stream)
    forgotten: bool = False
    """Whether the oldest events have gone."""
    dead: Stream[DeadLetter] = field(default_factory=Stream)
    replies: dict[str, Stream[Reply]] = field(default_factory=dict)
    moved: tuple[str, Any] = ("", None)
    """The nonce and the answer of the last moving verb that had one."""
    due: dict[str, int] = field(default_factory=dict)
    """When delayed mail that is still on its way is to be delivered, by its id."""
    sides: dict[str, Side] = field(default_factory=dict)
    """By pool, which of its branches let others pass."""

    @property
    def auto(self) -> bool:
        """Whether mail is delivered without rounds."""
        return self.fields["delivery"] == "auto"

    @property
    def roster(self) -> list[Branch]:
        """The open branches in order of creation, without the session's own place."""
        return [branch for branch in self.branches.values() if branch.open and branch.id != self.id]

    def refusal(self, recipient: str) -> Outcome | None:
        """Why a branch takes no mail at all, if so."""
        branch = self.branches.get(recipient)
        if branch is None:
            return Outcome.UNKNOWN
        return None if branch.open else Outcome.CLOSED

    def has_room(self, recipient: str, mails: Iterable[WireMail], *, straight: bool = True, times: int = 1) -> bool:
        """Whether some more mails fit under so many times the limits, where they would be put."""
        branch, more = self.branches[recipient], list(mails)
        if self.cap:
            waiting = len(station(branch, straight)) + len(branch.delayed) + branch.deferred
            if waiting + len(more) > self.cap * times:
                return False
        if not self.cap_bytes:
            return True
        return sum(map(weight, self._waiting_for(branch))) + sum(map(weight, more)) <= self.cap_bytes * times

    def _waiting_for(self, branch: Branch) -> Iterator[WireMail]:
        for stream in (branch.mailbox, branch.inbox, *(lane.mails for lane in branch.lanes.values())):
            yield from (mail for _, mail in stream.after())
        yield from (delayed.mail for delayed in branch.delayed)


def station(branch: Branch, straight: bool) -> Stream[WireMail]:
    """Where mail for a branch is put: a local branch has an inbox only."""
    return branch.mailbox if straight and branch.seed.pool else branch.inbox


class Store:
    """All sessions and pools, and the moves that change more than one of their parts."""

    def __init__(self) -> None:
        self.sessions: dict[str, Session] = {}
        self.pools: dict[str, Pool] = {}
        self.budgets: dict[str, Any] = {}
        self.audit: list[tuple[str, AuditEntry]] = []
        """Entries behind their nonces, the oldest first."""
        self.workers: dict[str, tuple[int, Enrolled]] = {}
        """By owner, until when (ms) each is remembered, and its last report."""
        self._numbers = count(1)
        self._epoch = time.time() - time.monotonic()
        self._now = 0

    def tick(self) -> None:
        """Begin a verb, all of which happens at one moment, as it does on a server."""
        self._now = int((self._epoch + time.monotonic()) * 1000)

    def now(self) -> int:
        """The moment of the verb in ms since the epoch, which a change of the machine's clock does not move."""
        return self._now

    def new_id(self) -> str:
        """An entry id after all others: the time, and a number."""
        return f"{self.now()}-{next(self._numbers)}"

    def find(self, session: str, branch: str) -> tuple[Session, Branch] | None:
        """A session and one of its branches, if both exist."""
        found = self.sessions.get(session)
        return (found, found.branches[branch]) if found and branch in found.branches else None

    def tell(self, session: Session, kind: str, fields: Mapping[str, str]) -> None:
        """Add to the live tail."""
        entry = self.new_id()
        session.events.append(entry, Occurrence(entry, kind, fields))
        if len(session.events) > _EVENTS_KEPT:
            session.events.pop(session.events.after(limit=1)[0][0])
            session.forgotten = True

    def mark(self, session: Session, branch: Branch, first: Entry | None = None) -> None:
        """Make sure that a branch of a pool has exactly one ready entry, unless it is paused.

        That hands out the `first` mail, if the branch was idle.
        """
        if not branch.seed.pool or branch.mark or branch.paused:
            return
        pool = self.pools.setdefault(branch.seed.pool, Pool())
        idle = len(branch.mailbox) == 1 and not (branch.token or branch.lane or branch.lanes or branch.steps)
        given, side = None, session.sides.setdefault(branch.seed.pool, Side())
        before = session.branches.get(side.first.branch) if side.first else None
        branch.mark = self.new_id()
        if pool.lets_pass(side, begun=before is not None and before.token != ""):
            branch.mark = OVER + branch.mark
        elif first and idle and _is_small(first.mail) and pool.length < GIVEN_READY:
            came = place_of(branch.mark)[0]
            given = Claimed(Outcome.OK, branch.cursor, branch.version, 1, branch.seed.behaviour, (first,), came)
            branch.token, branch.lease_end, branch.handed, branch.tries = branch.mark, 0.0, first.id, 1
        pool.put(ReadyEntry(branch.mark, session.id, branch.id, given), side)

    def owner_of(self, branch: Branch) -> str:
        """The owner of a branch; of one that was handed out with its mark the reader, until a commit has named it."""
        if branch.owner or not branch.mark or branch.token != branch.mark:
            return branch.owner
        return self.pools[branch.seed.pool].reader(branch.mark)

    def unmark(self, branch: Branch) -> None:
        """Remove the ready entry of a branch, which only the mark itself names."""
        if branch.mark:
            self.pools[branch.seed.pool].drop(branch.mark)
            branch.mark = ""

    def end_lease(self, session: Session, branch: Branch) -> None:
        """Let the owner go; what waits is ready for others, with a new entry and no attempt counted."""
        branch.token = branch.owner = ""
        branch.handed, branch.tries, branch.tried_by = START, 0, ()
        branch.notice = False
        self.unmark(branch)
        if branch.has_work(self.now()):
            self.mark(session, branch)

    def into_outbox(self, session: Session, sender: Branch, mail: WireMail) -> None:
        """Let a mail wait for a round; a delay counts from now on."""
        if mail.delay_ms:
            session.due[mail.id] = self.now() + mail.delay_ms
        sender.outbox.append(self.new_id(), mail)

    def accept(self, session: Session, recipient: str, mail: WireMail, *, straight: bool, alone: bool = False) -> str:
        """Deliver a mail, or keep it until it is due; returns its entry, if it has one yet.

        One that comes `alone` may be handed out with the mark.
        """
        due = session.due.pop(mail.id, None) or self.now() + mail.delay_ms
        if due <= self.now():
            return self.deliver(session, recipient, mail, straight=straight, alone=alone)
        insort(session.branches[recipient].delayed, Delayed(due, next(self._numbers), straight, mail))
        session.counters["delayed"] += 1
        return ""

    def deliver(self, session: Session, recipient: str, mail: WireMail, *, straight: bool, alone: bool = False) -> str:
        """Put a mail into a mailbox or inbox and return its entry; the recipient exists and is open."""
        branch, entry = session.branches[recipient], self.new_id()
        session.counters["posted"] += 1
        if straight and branch.seed.pool:
            self.into_mailbox(session, branch, entry, mail, alone=alone)
        else:
            branch.inbox.append(entry, mail)
        return entry

    def into_mailbox(
        self, session: Session, branch: Branch, entry: str, mail: WireMail, *, alone: bool = False
    ) -> None:
        """Append to a mailbox and mark the branch in the same breath."""
        branch.mailbox.append(entry, mail)
        session.counters["inflight"] += 1
        self.mark(session, branch, Entry(entry, mail) if alone else None)

    def reply(self, session: Session, reply: Reply) -> None:
        """Put a reply behind the others of its client."""
        entry = self.new_id()
        session.replies.setdefault(reply.client, Stream()).append(entry, replace(reply, id=entry))

    def refuse(self, session: Session, mail: WireMail, word: Outcome) -> None:
        """Keep a mail that its recipient did not take."""
        reason, detail = _REFUSALS[word]
        self.bury(session, mail.header.recipient, Burial("0-0", reason, detail, 0), mail)

    def bury(self, session: Session, branch: str, why: Burial, mail: WireMail, owners: tuple[str, ...] = ()) -> str:
        """Keep a mail as a dead letter; returns its id."""
        entry = self.new_id()
        letter = DeadLetter(entry, why.reason, why.detail, branch, why.attempts, owners, mail, why.error)
        session.dead.append(entry, letter)
        session.counters["dead"] += 1
        self.tell(session, "dead", {"branch": branch, "reason": why.reason, "letter": entry})
        return entry


def with_owner(owners: tuple[str, ...], owner: str) -> tuple[str, ...]:
    """One more owner at the end, unless it is there already."""
    return owners if not owner or owners[-1:] == (owner,) else (*owners, owner)
