"""Turns and leases: who owns a branch, and what a turn does."""

from __future__ import annotations

from lion_broker.core.lean import lean
from lion_broker.mail.answers import Promoted, Swept
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import START, Burial, Claimed, Committed, Deferral, Dispatched, Record, Reply
from lion_broker.mail.wire import WireMail

from .verb import BATCH, LEASE_MS, Verb

__all__ = ["Claim", "Commit", "Dispatch", "Pause", "Promote", "Release", "Renew", "Resume", "Station", "Sweep"]


@lean(frozen=True, slots=True)
class Claim(Verb[Claimed]):
    """Make the bearer of `token` the owner of a branch until `lease_ms` from now, and hand out its first mails.

    `entry` is the ready entry that the worker read for `pool`; both are empty for a branch without a pool. A claim
    repeated with the same token answers OK again. A mail that has been handed out before without a commit comes
    alone. Deferred mail that is due comes before what waits in the mailbox. PAUSED when the branch takes no turns.
    """

    session: str
    branch: str
    token: str
    entry: str = ""
    pool: str = ""
    owner: str = ""
    lease_ms: int = LEASE_MS
    batch: int = BATCH


@lean(frozen=True, slots=True)
class Commit(Verb[Committed]):
    """End a turn: write everything it did, or nothing.

    `cursor` is where the branch stands, `consumed` the last mailbox entry that the turn handled (equal to `cursor`
    when none was); `version` is the branch's version before. `taken` are inbox entries that took effect, `aside`
    mailbox entries of this turn that go to the inbox to wait there, `buried` those that become dead letters.
    `deferred` are those that are to be tried again (see `Deferral`). Outgoing mail goes where `Post` would put it, up
    to twice the recipient's limit; a recipient that refuses makes a dead letter, never a failure.

    With `strict` nothing is written when a recipient has reached its limit: the answer is FULL, and names the branch.

    A turn of a `lane` leaves the cursor where it is; `lane_done` is the last entry of the lane that it handled. `pause`
    says why the branch is to take no more turns until it is resumed; the lease ends then.

    `nonce` tells a commit from others: only the very commit that was made last is answered ALREADY when it comes again.
    Answers OK with up to `batch` next mails after `after` (the last entry that the caller holds), DRAINED when
    nothing is left or `batch` is 0 (the lease is over; what is left is ready for others), and for a branch without a
    pool OK without mails. FENCED means "drop your copy", never "it failed"; UNKNOWN that there is no such session.
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
    deferred: tuple[Deferral, ...] = ()
    handled: int = 0
    after: str = START
    batch: int = BATCH
    lease_ms: int = LEASE_MS
    nonce: str = ""
    lane: str = ""
    lane_done: str = START
    pause: str = ""
    strict: bool = False


@lean(frozen=True, slots=True)
class Dispatch(Verb[Dispatched]):
    """Commit what a branch without a pool has done by itself: its records, and its outgoing mail.

    The same as a strict `Commit` that handles nothing, for less: whole or not at all, refused in the same words, with
    mail that goes the same ways. Several may be asked for at once, each with the version that the one before makes.
    Then they share a `nonce`, and what was made of them before is answered ALREADY when they come again; one that
    follows a refused one is STALE. One that `follows` is so also when another row has made its version meanwhile.
    """

    session: str
    branch: str
    token: str
    version: int
    records: tuple[Record, ...]
    mails: tuple[WireMail, ...] = ()
    lease_ms: int = LEASE_MS
    nonce: str = ""
    follows: bool = False


@lean(frozen=True, slots=True)
class Station:
    """A branch under a lease: what `Renew` and `Release` take many of."""

    session: str
    branch: str
    token: str


@lean(frozen=True, slots=True)
class Renew(Verb[tuple[Outcome, ...]]):
    """Prolong leases; for each station, in order: OK, FENCED, or CANCELLED.

    CANCELLED is OK as well: the lease is prolonged, and somebody has cancelled a command of the branch. `at` may say
    which mail each branch is at, by its id, or nothing where it is at none; `ReadBranches` tells it.
    """

    stations: tuple[Station, ...]
    lease_ms: int = LEASE_MS
    at: tuple[str, ...] = ()


@lean(frozen=True, slots=True)
class Release(Verb[tuple[Outcome, ...]]):
    """Hand branches back at once: what waits is ready for others. OK or FENCED for each station, in order.

    OK also for one whose turn was stopped under this token: it is free then.
    """

    stations: tuple[Station, ...]


@lean(frozen=True, slots=True)
class Sweep(Verb[Swept]):
    """Look at ready entries that were read at least `idle_ms` ago: up to `limit`, and as many of the overflow.

    An entry whose owner's lease is over goes to others when the branch still has work, else it is dropped.
    Any number of sweepers may run at once.
    """

    pool: str
    idle_ms: int = LEASE_MS
    limit: int = 100


@lean(frozen=True, slots=True)
class Promote(Verb[Promoted]):
    """Let up to `limit` branches, of one session or of all, have what is due: delayed mail, and mail to be tried again.

    Any number may ask at once; ask again while as many as `limit` were looked at.
    """

    session: str = ""
    limit: int = 100


@lean(frozen=True, slots=True)
class Pause(Verb[Outcome]):
    """Have a branch with a pool take no more turns until it is resumed; mail to it waits.

    A turn that is going on ends first. OK, ALREADY, CLOSED, UNKNOWN.
    """

    session: str
    branch: str
    reason: str


@lean(frozen=True, slots=True)
class Resume(Verb[Outcome]):
    """Let a branch take turns again; mail that has failed before is tried afresh. OK, ALREADY, CLOSED, UNKNOWN."""

    session: str
    branch: str
