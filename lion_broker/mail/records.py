"""The values that verbs carry and answer: what the exchange stores, as the caller sees it. All frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from lion_broker.core.lean import lean
from lion_broker.core.portable import readable

from .outcome import Outcome
from .wire import WireMail

__all__ = [
    "LAST",
    "OVER",
    "START",
    "AuditEntry",
    "BranchRecord",
    "BranchSeed",
    "Burial",
    "Claimed",
    "Committed",
    "DeadLetter",
    "Deferral",
    "Dispatched",
    "Entry",
    "LogRecord",
    "Moved",
    "Occurrence",
    "Posted",
    "ReadyEntry",
    "Record",
    "Rejected",
    "Reply",
    "SessionRecord",
    "Stamp",
    "gap",
    "is_after",
    "place_of",
]

START = "0-0"
"""The id before every entry of a stream: the cursor of a mailbox of which nothing has been handled."""
OVER = "o"
"""What the name of a ready entry begins with that stands in the overflow; the rest is its id there."""
LAST = f"{2**64 - 1}-{2**64 - 1}"
"""The last id that an entry can have; no verb writes it."""

_LONGEST_DETAIL = 2_000


def place_of(entry: str) -> tuple[int, int]:
    """Return the two numbers of an entry id, by which entries of a stream are in order."""
    first, _, second = entry.partition("-")
    return int(first), int(second)


def is_after(entry: str, other: str) -> bool:
    """Whether one entry id comes after another."""
    return place_of(entry) > place_of(other)


@lean(frozen=True, slots=True)
class Rejected:
    """An entry that is no acceptable mail: why, in a code and in words, with what could be read of it."""

    reason: str
    detail: str
    fields: Mapping[str, bytes]


@lean(frozen=True, slots=True)
class Entry:
    """One entry of a mailbox or inbox: its id in the stream and the mail, or why it is none."""

    id: str
    mail: WireMail | Rejected


@lean(frozen=True, slots=True)
class Record:
    """One thing that happened to a branch, to be written into its log.

    `kind` is a word of `lion_broker.branch.journal`; `body` is JSON. A received mail is kept as the bytes that came:
    then `head` is its header.
    """

    kind: str
    body: bytes = field(repr=False)
    head: bytes = field(default=b"", repr=False)


@lean(frozen=True, slots=True)
class Stamp:
    """When a commit was made, in ms by the exchange's clock, and by whom.

    `owners` have tried the first mail of the turn, who made the commit last; empty where nobody has said who he is.
    `consumed` is the last entry of the mailbox that the turn handled, or an empty text.
    """

    at: int
    owners: tuple[str, ...] = ()
    consumed: str = ""

    def __str__(self) -> str:
        """Return it as it stands in a log."""
        return f"{self.at} {self.consumed}\n" + "\n".join(self.owners)

    @property
    def owner(self) -> str:
        """Who made the commit."""
        return self.owners[-1] if self.owners else ""


@lean(frozen=True, slots=True)
class LogRecord:
    """A record as it stands in the log: `version` is the commit that wrote it, `place` its number in that commit.

    The first of a version has the commit's `stamp`; one of a log from before there were any has none.
    """

    version: int
    place: int
    record: Record
    stamp: Stamp | None = field(default=None, compare=False)


@lean(frozen=True, slots=True)
class BranchSeed:
    """What a branch is created from.

    `pool` is empty for a branch that lives in its creator's process. `fields` are further texts kept beside the
    branch and returned with it.
    """

    id: str
    name: str = ""
    pool: str = ""
    behaviour: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)


@lean(frozen=True, slots=True)
class BranchRecord:
    """Where a branch stands: who it is, who owns it, and how far it is.

    `leased` says whether the owner's lease was alive by the server's clock when this was read; `waiting` counts
    mailbox entries past the cursor, `inbox` and `outbox` what waits at those stations, `deferred` what waits to be
    tried again, `delayed` what is to be delivered later. `paused` says why the branch takes no turns, if so.
    """

    seed: BranchSeed
    state: str
    owner: str
    leased: bool
    cursor: str
    version: int
    waiting: int
    inbox: int
    outbox: int
    deferred: int = 0
    delayed: int = 0
    paused: str = ""
    copies: str = ""
    """The branch whose log its own refers to, if it was split off."""
    handed: str = START
    """The newest entry of the mailbox that was ever given out."""
    tries: int = 0
    """How often the first mail was given out since the last commit, where it is one that was; with its mark, also
    before anybody has read that."""
    tried_by: tuple[str, ...] = ()
    """Who had that mail before and made no commit."""
    lane: str = ""
    """The sender whose mail, that waited to be tried again, was handed out last."""
    at: str = ""
    """The mail that its owner said it is at, by its id, up to a second ago."""
    at_since: int = 0
    """When its owner said so first, in ms since the epoch; a second at most after it began."""
    stopped: bool = False
    """Whether a turn was stopped whose worker has not let go of the branch yet."""

    @property
    def id(self) -> str:
        """The branch's id."""
        return self.seed.id


@lean(frozen=True, slots=True)
class SessionRecord:
    """A session's own fields (name, user, delivery, default branch …), its counters, and how many branches it has.

    Counters: `posted` (mails that reached a mailbox or inbox), `applied` (mails whose effect is committed),
    `redelivered` (mails handed out again), `dead` (dead letters that are there), `inflight` (mails in mailboxes, not
    yet committed, and those that wait to be tried again), `delayed` (mails that are to be delivered later). `cap` and
    `cap_bytes` as in `CreateSession`.
    """

    id: str
    fields: Mapping[str, str]
    counters: Mapping[str, int]
    branches: int
    cap: int = 0
    cap_bytes: int = 0


@lean(frozen=True, slots=True)
class Posted:
    """Answer of `Post`. OK, DUPLICATE and CONFLICT as in `Outcome`; UNKNOWN, CLOSED and FULL name the recipient;
    UNKNOWN without one: there is no such session."""

    outcome: Outcome
    recipient: str = ""


@lean(frozen=True, slots=True)
class Moved:
    """Answer of `Collect`, `Send` and `Receive`: what one bounded batch moved.

    `more` says that the same call, with this `resume`, would move more; `targets` maps each branch that got mail to
    the id of its newest entry (of its mailbox when it lives on workers, else of its inbox). `outcome` is OK, or UNKNOWN
    when there is no such session.
    """

    count: int
    dead: int = 0
    more: bool = False
    resume: str = ""
    targets: Mapping[str, str] = field(default_factory=dict)
    outcome: Outcome = Outcome.OK


@lean(frozen=True, slots=True)
class Claimed:
    """Answer of `Claim`: OK with the first mails, or HELD, CLOSED, GONE, PAUSED, EMPTY, UNKNOWN.

    `attempts` counts how often the first mail has been handed out, this time included. Every answer carries where the
    branch stands and `now`, the exchange's time in ms. `lane` is the sender whose deferred mail the entries are, empty
    when they are the mailbox's; `lanes` are all senders that have deferred mail.
    """

    outcome: Outcome
    cursor: str = START
    version: int = 0
    attempts: int = 0
    behaviour: str = ""
    entries: tuple[Entry, ...] = ()
    now: int = 0
    lane: str = ""
    lanes: frozenset[str] = frozenset()


@lean(frozen=True, slots=True)
class Committed(Claimed):
    """Answer of `Commit`: OK with the next mails, DRAINED (committed, lease over), ALREADY, STALE, FENCED, UNKNOWN.

    FULL, with the full branch as `behaviour`, only to a strict commit. With a `lane` the caller drops what it holds of
    the mailbox: it will be handed out again.
    """


@lean(frozen=True, slots=True)
class Dispatched:
    """Answer of `Dispatch`: OK, ALREADY, STALE, FENCED, UNKNOWN, or FULL with the recipient that is.

    `version` is where the branch stands now, unless there is no such session.
    """

    outcome: Outcome
    version: int = 0
    recipient: str = ""


@lean(frozen=True, slots=True)
class Burial:
    """A mail of the turn that becomes a dead letter instead of taking effect: entry id, reason code, words.

    The entry is one of the turn, or with `inbox` one that waits in the inbox. `error` is the class of what was raised.
    Of `detail`, which may be what somebody's code has said, 2,000 characters are kept, as `readable` writes them.
    """

    entry: str
    reason: str
    detail: str
    attempts: int = 1
    inbox: bool = False
    error: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "detail", readable(self.detail, _LONGEST_DETAIL))


@lean(frozen=True, slots=True)
class Deferral:
    """A mail that is to be tried again: it goes behind the others of its sender's lane.

    The first of a lane waits `pause_ms`, and `attempts` have been made at it; for the others both are 0. In a turn of a
    lane the entry stays where it is, at the lane's head.
    """

    entry: str
    lane: str
    pause_ms: int = 0
    attempts: int = 0


@lean(frozen=True, slots=True)
class DeadLetter:
    """A mail that could not be delivered or applied, kept with the reason.

    `branch` is where it was to take effect, `error` the class of what its behaviour raised, if any; `owners` have had
    it, the last one last. `mail` is None when the bytes were no mail.
    """

    id: str
    reason: str
    detail: str
    branch: str
    attempts: int
    owners: tuple[str, ...]
    mail: WireMail | None
    error: str = ""

    @property
    def tried_by(self) -> tuple[str, ...]:
        """Who has tried it: not the last who had a poison mail, and has only buried it."""
        return self.owners[:-1] if self.reason == "poison" and len(self.owners) > 1 else self.owners

    @property
    def caused_by(self) -> str | None:
        """The id of the mail that was being handled when this one was sent, if one was."""
        return self.mail.header.in_reply_to if self.mail else None


@lean(frozen=True, slots=True)
class Reply:
    """The answer to a command, or a part of one: JSON bytes for the client that asked.

    `in_reply_to` is the command mail's id; `id` is its place among the client's replies, once it has one.
    """

    client: str
    in_reply_to: str
    body: bytes = field(repr=False)
    id: str = ""


@lean(frozen=True, slots=True)
class Occurrence:
    """One entry of a session's live tail; `id` resumes it."""

    id: str
    kind: str
    fields: Mapping[str, str]


@lean(frozen=True, slots=True)
class AuditEntry:
    """What somebody has done to something; `at` is in seconds since the epoch by the exchange's clock."""

    id: str
    who: str
    what: str
    target: str
    detail: str
    at: float


def gap(after: str, following: str) -> Occurrence:
    """Return the occurrence that stands for those between two that may have gone."""
    return Occurrence(after, "gap", {"after": after, "next": following})


@lean(frozen=True, slots=True)
class ReadyEntry:
    """A branch that has work, as a worker reads it from the ready stream or the overflow behind it.

    Where it is `given`, the reader is the owner as if it had claimed with the entry's id as the token, and has the
    first mail; `now` is when that came. The lease begins with the first renewal or commit, and is to do so within the
    time of one. A reader may claim all the same, with a token of its own: that is no second attempt.
    """

    id: str
    session: str
    branch: str
    given: Claimed | None = None
