"""What can be asked of an exchange, one frozen value a verb.

A verb says what is wanted; an exchange does it, whole or not at all, and answers with the type in brackets. Every verb
may be repeated with the same values after a lost answer: it takes effect once. The promises of each are those that
`tests/conformance` checks on every implementation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from .outcome import Outcome
from .records import (
    START,
    BranchRecord,
    BranchSeed,
    Burial,
    Claimed,
    Committed,
    DeadLetter,
    Entry,
    LogRecord,
    Moved,
    Occurrence,
    Posted,
    ReadyEntry,
    Record,
    Reply,
    SessionRecord,
    Stepped,
    Swept,
)
from .wire import WireMail

__all__ = [
    "AwaitReply",
    "Begin",
    "Cancel",
    "Claim",
    "CloseBranch",
    "Collect",
    "Commit",
    "CreateBranch",
    "CreateSession",
    "DeleteSession",
    "ListSessions",
    "Post",
    "Progress",
    "ReadBranches",
    "ReadCancelled",
    "ReadDead",
    "ReadEvents",
    "ReadInbox",
    "ReadLog",
    "ReadReady",
    "ReadSession",
    "Receive",
    "Release",
    "Renew",
    "Say",
    "Send",
    "Station",
    "Step",
    "Sweep",
    "UpdateSession",
    "Verb",
]

A_co = TypeVar("A_co", covariant=True)

LEASE_MS = 10_000
BATCH = 200


class Verb(Generic[A_co]):
    """A question to the exchange whose answer is an `A_co`."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class CreateSession(Verb[Outcome]):
    """Create a session with its own mailbox. OK, or DUPLICATE when the id is taken.

    `fields` holds at least `delivery` (manual or auto); `cap` is the most mails one mailbox takes (0: no limit).
    """

    session: str
    fields: Mapping[str, str]
    cap: int = 0


@dataclass(frozen=True, slots=True)
class UpdateSession(Verb[Outcome]):
    """Set fields of a session. OK or UNKNOWN."""

    session: str
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ReadSession(Verb[SessionRecord | None]):
    """Read a session's fields and counters, or None."""

    session: str


@dataclass(frozen=True, slots=True)
class ListSessions(Verb[tuple[str, ...]]):
    """Read the ids of all sessions of the namespace, oldest first."""


@dataclass(frozen=True, slots=True)
class DeleteSession(Verb[bool]):
    """Remove up to `limit` branches of a session with everything they own, then the session.

    True when more is left to remove; ask again until False.
    """

    session: str
    limit: int = 100


@dataclass(frozen=True, slots=True)
class CreateBranch(Verb[Outcome]):
    """Create a branch whose log begins with `records` as version 1.

    A branch without a pool is born leased to `token` (its creator's); one with a pool belongs to nobody.
    OK, DUPLICATE when this very branch exists, UNKNOWN when there is no such session. `copies` names a branch whose log
    the records refer to, so that it is kept as long as they do.
    """

    session: str
    seed: BranchSeed
    records: tuple[Record, ...]
    token: str = ""
    owner: str = ""
    copies: str = ""
    lease_ms: int = LEASE_MS


@dataclass(frozen=True, slots=True)
class ReadBranches(Verb[tuple[BranchRecord, ...]]):
    """Read branches in order of creation: those in `ids`, or `count` of them from place `start`.

    Unknown ids are left out. A closed branch is read by its id only.
    """

    session: str
    ids: tuple[str, ...] | None = None
    start: int = 0
    count: int = 1000


@dataclass(frozen=True, slots=True)
class CloseBranch(Verb[Outcome]):
    """Remove a branch from the session: what waits for it becomes dead letters (`closed`), later mail is refused.

    Mail that it has sent itself still goes out. With `delete` its log goes too, unless another branch's log refers to
    it. OK, CLOSED (before), UNKNOWN, or HELD when another owner's lease on a branch without a pool is alive.
    """

    session: str
    branch: str
    token: str = ""
    delete: bool = False


@dataclass(frozen=True, slots=True)
class Post(Verb[Posted]):
    """Put mails on the road from outside a turn, all of them or none.

    With automatic delivery, and for commands, they reach the recipients at once: the mailbox (and the pool's ready
    stream) of a branch with a pool, the inbox of a local one. With manual delivery they wait in their senders'
    outboxes. Order per sender and recipient is the order given. Idempotent by (`producer`, `seq`): the first `seq` of a
    producer is 1; only OK uses a number up.
    """

    session: str
    producer: str
    seq: int
    mails: tuple[WireMail, ...]


@dataclass(frozen=True, slots=True)
class Collect(Verb[Moved]):
    """Take up to `limit` mails out of the outboxes of `branches` (None: of all) into the exchange, in order."""

    session: str
    branches: tuple[str, ...] | None = None
    limit: int = BATCH


@dataclass(frozen=True, slots=True)
class Send(Verb[Moved]):
    """Deliver up to `limit` mails addressed to `recipients` (None: to all), collected or still in an outbox.

    They arrive in inboxes; with `receive`, mail for a branch with a pool goes on into its mailbox. Mail to a branch
    that is unknown or closed becomes a dead letter. Order per sender and recipient is kept. `resume` is that of the
    last answer when the call is repeated because there was more.
    """

    session: str
    recipients: tuple[str, ...] | None = None
    receive: bool = False
    limit: int = BATCH
    resume: str = ""


@dataclass(frozen=True, slots=True)
class Receive(Verb[Moved]):
    """Move up to `limit` mails of branches with a pool from inboxes into mailboxes, marking the branches ready."""

    session: str
    branches: tuple[str, ...] | None = None
    limit: int = BATCH


@dataclass(frozen=True, slots=True)
class Claim(Verb[Claimed]):
    """Make the bearer of `token` the owner of a branch until `lease_ms` from now, and hand out its first mails.

    `entry` is the ready entry that the worker read for `pool`; both are empty for a branch without a pool. A claim
    repeated with the same token answers OK again. A mail that has been handed out before without a commit comes
    alone.
    """

    session: str
    branch: str
    token: str
    entry: str = ""
    pool: str = ""
    owner: str = ""
    lease_ms: int = LEASE_MS
    batch: int = BATCH


@dataclass(frozen=True, slots=True)
class Begin(Verb[int]):
    """Count one more attempt at the mail `entry` before user code runs on it again; the count, 0 when fenced.

    What the attempt before has recorded of calls outside is forgotten: it led to the failure.
    """

    session: str
    branch: str
    token: str
    entry: str


@dataclass(frozen=True, slots=True)
class Commit(Verb[Committed]):
    """End a turn: write everything it did, or nothing.

    `cursor` is where the branch stands, `consumed` the last mailbox entry that the turn handled (equal to `cursor`
    when none was); `version` is the branch's version before. `taken` are inbox entries that took effect, `aside`
    mailbox entries of this turn that go to the inbox to wait there, `buried` those that become dead letters.
    Outgoing mail goes where `Post` would put it, but a recipient that refuses makes a dead letter, never a failure.

    Answers OK with up to `batch` next mails after `after` (the last entry that the caller holds), DRAINED when
    nothing is left or `batch` is 0 (the lease is over; what is left is ready for others), and for a branch without a
    pool OK without mails. FENCED means "drop your copy", never "it failed".
    """

    session: str
    branch: str
    token: str
    cursor: str
    consumed: str
    version: int
    records: tuple[Record, ...]
    mails: tuple[WireMail, ...] = ()
    replies: tuple[Reply, ...] = ()
    taken: tuple[str, ...] = ()
    aside: tuple[str, ...] = ()
    buried: tuple[Burial, ...] = ()
    handled: int = 0
    after: str = START
    batch: int = BATCH
    lease_ms: int = LEASE_MS


@dataclass(frozen=True, slots=True)
class Station:
    """A branch under a lease: what `Renew` and `Release` take many of."""

    session: str
    branch: str
    token: str


@dataclass(frozen=True, slots=True)
class Renew(Verb[tuple[Outcome, ...]]):
    """Prolong leases; for each station, in order: OK, FENCED, or CANCELLED.

    CANCELLED is OK as well: the lease is prolonged, and somebody has cancelled a command of the branch.
    """

    stations: tuple[Station, ...]
    lease_ms: int = LEASE_MS


@dataclass(frozen=True, slots=True)
class Release(Verb[tuple[Outcome, ...]]):
    """Hand branches back at once: what waits is ready for others. OK or FENCED for each station, in order."""

    stations: tuple[Station, ...]


@dataclass(frozen=True, slots=True)
class ReadReady(Verb[tuple[ReadyEntry, ...]]):
    """Wait up to `wait_ms` for branches of a pool that have work; at most `count`, each given to one `owner` only."""

    pool: str
    owner: str
    count: int
    wait_ms: int = 0


@dataclass(frozen=True, slots=True)
class Sweep(Verb[Swept]):
    """Look at up to `limit` ready entries that were read at least `idle_ms` ago.

    An entry whose owner's lease is over goes to others when the branch still has work, else it is dropped.
    Any number of sweepers may run at once.
    """

    pool: str
    idle_ms: int = LEASE_MS
    limit: int = 100


@dataclass(frozen=True, slots=True)
class ReadLog(Verb[tuple[LogRecord, ...]]):
    """Read up to `count` records of a branch's log after (`version`, `place`), in order."""

    session: str
    branch: str
    version: int = 0
    place: int = 0
    count: int = 1000


@dataclass(frozen=True, slots=True)
class ReadInbox(Verb[tuple[Entry, ...]]):
    """Read up to `count` entries after `after` that wait in a branch's inbox, in order."""

    session: str
    branch: str
    after: str = START
    count: int = 1000


@dataclass(frozen=True, slots=True)
class ReadDead(Verb[tuple[DeadLetter, ...]]):
    """Read up to `count` dead letters of a session after `after`, in order."""

    session: str
    after: str = START
    count: int = 1000


@dataclass(frozen=True, slots=True)
class ReadEvents(Verb[tuple[Occurrence, ...]]):
    """Read the live tail of a session after `after`; waits up to `wait_ms` when there is nothing yet.

    `after="$"` reads nothing and answers one Occurrence of kind `tip` whose id is the newest there is.
    """

    session: str
    after: str = START
    count: int = 1000
    wait_ms: int = 0


@dataclass(frozen=True, slots=True)
class Progress(Verb[tuple[str, ...]]):
    """Read which of the branches in `targets` have not yet committed past the mailbox entry named there."""

    session: str
    targets: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Say(Verb[Outcome]):
    """Give a client a part of an answer while the turn goes on; OK, or FENCED when the token is not the branch's.

    Parts that were said stay said when the turn is not committed: whoever takes the mail again begins anew.
    """

    session: str
    branch: str
    token: str
    client: str
    in_reply_to: str
    body: bytes


@dataclass(frozen=True, slots=True)
class AwaitReply(Verb[tuple[Reply, ...]]):
    """Wait up to `wait_ms` for replies to `client` after the one with the id `after`; those before it may go."""

    session: str
    client: str
    after: str = START
    wait_ms: int = 0


@dataclass(frozen=True, slots=True)
class Step(Verb[Stepped]):
    """Record a call that the turn makes outside: without `body` that it begins, with it what came of it.

    `name` is the same when the turn is done again. The answer to a beginning has what an earlier turn recorded for it:
    OK with its result, OK without one when the call is new, ALREADY when it was begun and nobody knows how it ended.
    FENCED when the token is not the branch's. Records end with the commit, and with `Begin`, which starts anew.
    """

    session: str
    branch: str
    token: str
    name: str
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Cancel(Verb[Outcome]):
    """Ask that a command, by the id of its mail, be dropped or stopped; OK, or UNKNOWN for an unknown branch.

    The branch's owner learns of it when it renews its lease, and before it begins a command.
    """

    session: str
    branch: str
    command: str


@dataclass(frozen=True, slots=True)
class ReadCancelled(Verb[frozenset[str]]):
    """Read which commands of a branch were cancelled within the last hour."""

    session: str
    branch: str
