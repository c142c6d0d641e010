"""The verbs that only look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from lion_broker.core.lean import lean
from lion_broker.mail.records import (
    START,
    BranchRecord,
    DeadLetter,
    Entry,
    LogRecord,
    Occurrence,
    ReadyEntry,
    Reply,
    SessionRecord,
)
from lion_broker.mail.waiting import Waiting, WaitsAt

from .verb import Verb

__all__ = [
    "AwaitReply",
    "DropReplies",
    "ListSessions",
    "Progress",
    "ReadBranches",
    "ReadCancelled",
    "ReadDead",
    "ReadEvents",
    "ReadInbox",
    "ReadLog",
    "ReadReady",
    "ReadSession",
    "ReadWaiting",
]


@lean(frozen=True, slots=True)
class ReadSession(Verb[SessionRecord | None]):
    """Read a session's fields and counters, or None."""

    session: str


@lean(frozen=True, slots=True)
class ListSessions(Verb[tuple[str, ...]]):
    """Read the ids of all sessions of the namespace, oldest first."""


@lean(frozen=True, slots=True)
class ReadBranches(Verb[tuple[BranchRecord, ...]]):
    """Read branches in order of creation: those in `ids`, or `count` of them from place `start`.

    Unknown ids are left out. A closed branch is read by its id only.
    """

    session: str
    ids: tuple[str, ...] | None = None
    start: int = 0
    count: int = 1000


@lean(frozen=True, slots=True)
class ReadReady(Verb[tuple[ReadyEntry, ...]]):
    """Wait up to `wait_ms` for branches of a pool that have work, each given to one `owner` only.

    At most `count`, and with `overflow` as many again of that: where many branches are ready, a session lets those of
    others pass but for some of its own. Those of the ready stream come first.

    The first mail of a branch that was idle may come with it (see `ReadyEntry`), and is then an attempt of this owner.
    `seats` is how many branches the owner begins with at once, None for all of them: where more than that may come
    from the ready stream, none brings its mail, and each is to be claimed, as those of the overflow always are.
    """

    pool: str
    owner: str
    count: int
    wait_ms: int = 0
    seats: int | None = None
    overflow: bool = True


@lean(frozen=True, slots=True)
class ReadLog(Verb[tuple[LogRecord, ...]]):
    """Read records of a branch's log after (`version`, `place`), in order: `count` where there are so many, or more.

    What was written together and is small may come together, so that there are more; fewer are the end of the log.
    """

    session: str
    branch: str
    version: int = 0
    place: int = 0
    count: int = 250


@lean(frozen=True, slots=True)
class ReadInbox(Verb[tuple[Entry, ...]]):
    """Read up to `count` entries after `after` that wait in a branch's inbox, in order."""

    session: str
    branch: str
    after: str = START
    count: int = 1000


@lean(frozen=True, slots=True)
class ReadWaiting(Verb[tuple[Waiting, ...]]):
    """Read up to `count` mails that wait at a station of a branch after the place `after`, in order; all wait on.

    Those of one lane follow one another: go on with the `lane` and `place` of the last one, until there are none.
    With `whole`, bodies that travel beside their mails are there too.
    """

    session: str
    branch: str
    where: WaitsAt
    after: str = START
    lane: str = ""
    count: int = 100
    whole: bool = False


@lean(frozen=True, slots=True)
class ReadDead(Verb[tuple[DeadLetter, ...]]):
    """Read up to `count` dead letters of a session after `after`, in order.

    Unless `whole`, bodies that travel beside their mails are left out.
    """

    session: str
    after: str = START
    count: int = 1000
    whole: bool = True


@lean(frozen=True, slots=True)
class ReadEvents(Verb[tuple[Occurrence, ...]]):
    """Read the live tail of a session after `after`; waits up to `wait_ms` when there is nothing yet.

    `after="$"` reads nothing and answers one Occurrence of kind `tip` whose id is the newest there is. A session keeps
    about the newest two thousand: when some that came after `after` may have gone, the first Occurrence is of kind
    `gap`, with the id `after` and the id of the `next` one that is kept. From the start there is no gap: it begins with
    the oldest. Who only waits until something happens asks for no `gaps`, which saves a call.
    """

    session: str
    after: str = START
    count: int = 1000
    wait_ms: int = 0
    gaps: bool = True


@lean(frozen=True, slots=True)
class Progress(Verb[tuple[str, ...]]):
    """Read which of the branches in `targets` have not yet committed past the mailbox entry named there."""

    session: str
    targets: Mapping[str, str] = field(default_factory=dict)


@lean(frozen=True, slots=True)
class AwaitReply(Verb[tuple[Reply, ...]]):
    """Wait up to `wait_ms` for replies to `client` after the one with the id `after`; those before it may go."""

    session: str
    client: str
    after: str = START
    wait_ms: int = 0


@lean(frozen=True, slots=True)
class DropReplies(Verb[None]):
    """Forget the replies to clients that ask for no more; one that comes later is kept as any other."""

    session: str
    clients: tuple[str, ...]


@lean(frozen=True, slots=True)
class ReadCancelled(Verb[frozenset[str]]):
    """Read which commands of a branch were cancelled within the last hour."""

    session: str
    branch: str
