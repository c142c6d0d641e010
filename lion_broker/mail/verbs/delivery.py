"""Mail on its way: posted, collected, sent, received; and off it: withdrawn, dead, sent again."""

from __future__ import annotations

from lion_broker.core.lean import lean
from lion_broker.mail.answers import Withdrawn
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import Moved, Posted
from lion_broker.mail.waiting import Withdrawal
from lion_broker.mail.wire import WireMail

from .verb import LEASE_MS, MOVED, Verb

__all__ = ["Collect", "Drop", "Exhume", "Post", "Receive", "Send", "Withdraw"]


@lean(frozen=True, slots=True)
class Post(Verb[Posted]):
    """Put mails on the road from outside a turn, all of them or none.

    With automatic delivery, and for commands, they reach the recipients at once: the mailbox (and the pool's ready
    stream) of a branch with a pool, the inbox of a local one. With manual delivery they wait in their senders'
    outboxes. Order per sender and recipient is the order given. Idempotent by (`producer`, `seq`): the first `seq` of a
    producer is 1; only OK uses a number up. A producer that has not posted for ten minutes may be forgotten: then its
    next number is a GAP, and a repeat of its first one is posted again, as copies that their recipients know. FULL when
    a mailbox or inbox has reached the session's limits. A mail with a delay is delivered when it is due.
    """

    session: str
    producer: str
    seq: int
    mails: tuple[WireMail, ...]


@lean(frozen=True, slots=True)
class Collect(Verb[Moved]):
    """Take up to `limit` mails, fewer large ones, out of the outboxes of `branches` (None: of all), in order."""

    session: str
    branches: tuple[str, ...] | None = None
    limit: int = MOVED


@lean(frozen=True, slots=True)
class Send(Verb[Moved]):
    """Deliver up to `limit` mails, fewer large ones, to `recipients` (None: to all), collected or still in an outbox.

    They arrive in inboxes; with `receive`, mail for a branch with a pool goes on into its mailbox. Mail to a branch
    that is unknown or closed becomes a dead letter. Order per sender and recipient is kept. `resume` is that of the
    last answer when the call is repeated because there was more. The very same verb with a `nonce`, within a minute,
    answers the same again: whoever lost an answer learns who got mail.
    """

    session: str
    recipients: tuple[str, ...] | None = None
    receive: bool = False
    limit: int = MOVED
    resume: str = ""
    nonce: str = ""


@lean(frozen=True, slots=True)
class Receive(Verb[Moved]):
    """Move up to `limit` mails, fewer large ones, from inboxes into mailboxes of branches with a pool, marking these.

    `nonce` as for `Send`.
    """

    session: str
    branches: tuple[str, ...] | None = None
    limit: int = MOVED
    nonce: str = ""


@lean(frozen=True, slots=True)
class Withdraw(Verb[tuple[Withdrawn, ...]]):
    """Make mails that wait at a branch dead letters, `withdrawn`, or `stopped`; for each, in order, what became of it.

    OK with the letter, before anybody handles the mail. UNKNOWN: it is not at that place (any more), or named before in
    this verb. HELD: its owner may have it in hand. CLOSED: the branch was removed. An owner whose lease is over loses
    the branch with the mail that it had. Clients that wait for a mail get `answer`. The very same verb with a `nonce`,
    within a minute, answers the same again.

    With `stop` mails that its owner has in hand are meant, and no others: UNKNOWN where nobody has a mail in hand. The
    owner, also one at work, commits nothing any more and is told FENCED. Nobody else begins what is left before it has
    released the branch or its lease is over, one of `lease_ms` where it has none yet. HELD for a branch of a program.
    """

    session: str
    branch: str
    mails: tuple[Withdrawal, ...]
    detail: str = ""
    answer: bytes = b""
    nonce: str = ""
    stop: bool = False
    lease_ms: int = LEASE_MS


@lean(frozen=True, slots=True)
class Exhume(Verb[tuple[Outcome, ...]]):
    """Send dead letters again, to the mailboxes or inboxes of their branches; for each, in order, what became of it.

    `edited` has the mails that go instead of what some letters hold. OK; UNKNOWN for a letter that is not there (any
    more) or whose branch never was; CLOSED and FULL, and then the letter stays.
    """

    session: str
    letters: tuple[str, ...]
    edited: tuple[tuple[str, WireMail], ...] = ()


@lean(frozen=True, slots=True)
class Drop(Verb[tuple[Outcome, ...]]):
    """Remove dead letters for good; for each, in order, OK or UNKNOWN."""

    session: str
    letters: tuple[str, ...]
