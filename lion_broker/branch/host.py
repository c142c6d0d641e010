"""Keeps a Branch and its record in the exchange together.

What the branch does (messages, tools, its log, mail it sends) waits here as records until a commit writes all of it,
or none. The same host serves a branch on a worker and one in the user's process; only who calls it differs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from lion_broker.core.element import END_OF_TIME
from lion_broker.core.ids import IDType
from lion_broker.core.portable import readable
from lion_broker.errors import BranchError, LeaseLost, MailboxFull, MailMalformed
from lion_broker.mail.exchange import Steps, ask_all
from lion_broker.mail.mail import Mail, party
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.package import Package, PackageCategory
from lion_broker.mail.records import (
    LAST,
    START,
    Burial,
    Claimed,
    Deferral,
    Dispatched,
    Entry,
    LogRecord,
    Record,
    Reply,
    is_after,
)
from lion_broker.mail.verbs import Commit, Dispatch, Promote, ReadInbox, Station, Verb
from lion_broker.mail.wire import WireMail
from lion_broker.telemetry.mail_spans import count_sent

from .applying import look_at
from .batch import MOST_ON_THEIR_WAY, PIECE, PIECE_BYTES
from .directory import gone
from .draft import Draft, Savepoint, new_nonce
from .items import decode_item, encode_item, unread_item
from .journal import Chronicle, Kind, nothing_record, took_record
from .known_mails import KnownMails
from .ledger import Ledger
from .refusal import lease_lost, mailbox_full, reason_of
from .sender import GONE, Sender
from .session_context import SessionContext

if TYPE_CHECKING:
    from .branch import Branch

__all__ = ["Host"]

_PAGE = 1000
_RECORDS = 1000
"""Records of one commit outside a turn; more would hold the server for too long."""
_RETIRED: Final = "its turn has ended, and its worker has let go of it"
_CATEGORIES: Final = {str(category): category for category in PackageCategory}
"""What an Enum does to find one takes several calls, and each mail has one."""


class Host(Sender):
    """The lease on one branch and everything that the branch has done since the last commit.

    `known` are the ids of all mail that has taken effect. One commit is on its way at a time; who finds one that has
    not been answered (another task's, or one whose answer was lost) asks for the same again: a repeated commit has one
    effect, and what has come since waits for the next.
    """

    def __init__(self, branch: Branch, context: SessionContext, *, token: str, pool: str = "") -> None:
        super().__init__(branch, context, pool, token)
        self.cursor = START
        self.ledger: Ledger | None = None
        self.known = KnownMails()
        self._withdrawn = 0
        self._arrived: dict[IDType, tuple[str, WireMail]] = {}
        self._inbox_read = START

    def attach(self) -> None:
        """Begin to watch the branch."""
        self.branch.bind(self)
        self.branch.msgs.observe(self._on_messages)
        self.branch.logs.observe(self._on_logs)

    def retire(self) -> None:
        """Let go of the branch for good.

        Whoever still has it can read it, and neither send nor store anything. It and the host know each other no
        longer, so that both are freed when nobody has them, without a collection.
        """
        self.branch.leave(_RETIRED)
        self.branch.msgs.observe(_refuse)
        self.branch.logs.observe(_refuse)
        self.ledger = None

    def load_steps(self, page: Sequence[LogRecord] | None = None) -> Steps[Chronicle]:
        """Read the history of a branch that nobody else uses yet into it, silently; returns what its log says.

        The first `page` of the log may have been read before.
        """
        chronicle = Chronicle(self.context.session, self.branch.id, self.branch.msgs, self.branch.logs)
        with self.silence():
            yield from chronicle.read_steps(page=page)
        self.version = chronicle.version
        self.known = chronicle.mails
        return chronicle

    @property
    def in_turn(self) -> bool:
        """Whether a turn of a worker is going on."""
        return self.turns.going_on

    def station(self) -> Station:
        """Where the host stands: the branch and the token that owns it."""
        return Station(self.context.session, self.branch.id, self.token)

    @property
    def dirty(self) -> bool:
        """Whether anything waits to be committed."""
        self._take_back()
        return bool(self._draft)

    def uncommitted_mails(self) -> set[str]:
        """The ids of mails in the outbox that no commit is known to have written yet."""
        return {wire.id for wire in self._draft.mails}

    def address_steps(
        self, recipient: Any, category: PackageCategory, item: Any, request_source: Any
    ) -> Steps[tuple[IDType, bytes]]:
        """Return recipient and body for a mail of the branch; raises what is wrong with either."""
        self.turns.check(self.branch.name or self.branch.id)
        place = yield from self.context.directory.locate_steps(recipient)
        body = encode_item(category, item, request_source, place.pool, self.context.objects)
        return place.id, body

    def arrive(self, entry: Entry, now: int = 0) -> None:
        """Put a delivered mail into the branch's mailbox; one that cannot be taken, or is late, is buried instead."""
        taken = look_at(entry, now, self.branch.id, self.read, self._knows)
        if isinstance(taken, Burial):
            self._draft.buried.append(taken)
        elif isinstance(entry.mail, WireMail):
            self._arrived[taken.id] = (entry.id, entry.mail)
            self.branch.mailbox.append_in(taken)

    def _knows(self, mail: str) -> bool:
        return mail in self.known or mail in self._arrived

    def read(self, wire: WireMail) -> Mail:
        """Return the mail that bytes describe, its item made from them; raises what is wrong with it."""
        header = wire.header
        category = _CATEGORIES.get(header.category) or PackageCategory(header.category)
        if not header.created < END_OF_TIME:
            raise MailMalformed(f"The header's created, {header.created:g}, is no time.")
        context, created, value = self.context, float(header.created), wire.item()
        unread = unread_item(category, value, wire.body, header.id, created)
        if unread is not None:
            package = Package.of_unread(category, unread, value.get("source"), unread.id, created)
        else:
            item, source = decode_item(category, value, context.registry, context.objects, header.id, created)
            package = Package(category, item, source, IDType.validate(header.id), created)
        return Mail.of_valid(package, party(header.sender), party(header.recipient))

    def took(self, mail: Mail, wire: WireMail | None = None) -> None:
        """Record that a mail took effect; its entry leaves the inbox with the commit."""
        if wire is None:
            entry, wire = self._arrived.pop(mail.id)
            self._draft.taken.append(entry)
        self.known.add(mail.id)
        self._draft.handled += 1
        if mail.category == PackageCategory.MESSAGE and mail.id in self.branch.messages:
            self._draft.records.append(Record(Kind.MAIL, wire.body, wire.head))
        else:
            self._draft.records.append(took_record(wire.header))

    def took_command(self, wire: WireMail) -> None:
        """Record that a command was answered."""
        self.known.add(wire.id)
        self._draft.handled += 1
        self._draft.records.append(took_record(wire.header))

    def reply(self, reply: Reply) -> None:
        """Write down the answer to a command."""
        self._draft.replies.append(reply)

    @property
    def answers(self) -> bool:
        """Whether an answer to a command waits to be committed: somebody waits for it."""
        return bool(self._draft.replies)

    def savepoint(self) -> Savepoint:
        """Return how much waits now, for `rollback`."""
        return self._draft.savepoint()

    def rollback(self, savepoint: Savepoint) -> None:
        """Drop what has come since `savepoint`. The branch object itself may hold more; it is to be read anew."""
        for wire in self._draft.drop_since(savepoint):
            self.branch.mailbox.exclude(wire.id)

    def bury_pending(self, mail: Mail, error: Exception) -> None:
        """Make a mail that cannot be applied a dead letter with the commit."""
        entry, _ = self._arrived.pop(mail.id)
        self._draft.buried.append(Burial(entry, reason_of(error), readable(error), inbox=True))

    async def refresh_in_turn(self) -> None:
        """Read what waits in the inbox while a turn is going on."""
        await self.context.arun(self._read_inbox_steps())

    def refresh_steps(self) -> Steps[int]:
        """Read mail that was delivered since the last time into the mailbox, outside a turn; returns how many."""
        if self.in_turn:
            return 0
        self.turns.check(self.branch.name or self.branch.id)
        return (yield from self._read_inbox_steps())

    def _read_inbox_steps(self) -> Steps[int]:
        count = now = 0
        # Delayed mail that is due is delivered first: where no worker runs, nobody else sees to it.
        verbs: list[Verb[Any]] = [Promote(self.context.session)]
        while True:
            read = ReadInbox(self.context.session, self.branch.id, self._inbox_read, _PAGE)
            *promoted, page = yield from ask_all([*verbs, read])
            if promoted:
                # One call delivers so many; a next one that is due already stands for the rest.
                now, verbs = promoted[0].now, verbs if promoted[0].next_ms == 0 else []
            for entry in page:
                # Another task may have read the same page.
                if is_after(entry.id, self._inbox_read):
                    self.arrive(entry, now)
                    if entry.id != LAST:  # when that entry is gone the inbox begins anew
                        self._inbox_read = entry.id
            count += len(page)
            if len(page) < _PAGE and not verbs:
                return count

    def commit_verb(
        self, *, consumed: str = "", aside: tuple[str, ...] = (), buried: tuple[Burial, ...] = (), handled: int = 0,
        after: str = START, batch: int = 0, first: tuple[Record, ...] = (), part: Draft | None = None,
        deferred: tuple[Deferral, ...] = (), lane: str = "", lane_done: str = START, pause: str = "",
    ) -> Commit:  # fmt: skip
        """Return the commit of what waits here (or of a `part` of it), with what the turn adds; `absorb` its answer."""
        self._take_back()
        draft = part if part is not None else self._draft.beginning(len(self._draft.mails), len(self._draft.records))
        records = (*first, *draft.log(local=not self.pool))
        verb = Commit(
            session=self.context.session,
            branch=self.branch.id,
            token=self.token,
            cursor=self.cursor,
            consumed=consumed or self.cursor,
            version=self.version,
            records=records or (nothing_record(),),
            mails=tuple(draft.mails),
            replies=tuple(draft.replies),
            taken=tuple(draft.taken),
            aside=aside,
            buried=(*draft.buried, *buried),
            deferred=deferred,
            lane=lane,
            lane_done=lane_done,
            pause=pause,
            handled=handled + draft.handled,
            after=after,
            batch=batch,
            lease_ms=self.context.lease_ms,
            nonce=new_nonce(),
            strict=not self.pool,
        )
        self._open = [(verb, draft)]
        return verb

    def commit_steps(self) -> Steps[None]:
        """Commit what waits, outside a turn, in bounded pieces.

        Raises LeaseLost when the branch is another's now, and, when the rest has gone, MailboxFull for what did not.
        """
        refused: MailboxFull | None = None
        while not self.in_turn and (verbs := self.next_verbs()):
            for verb, answer in zip(verbs, (yield verbs), strict=True):
                try:
                    self.absorb(verb, answer)
                except MailboxFull as error:
                    refused = refused or error
            if not self._draft:
                break
        if refused is not None:
            raise refused

    def next_verbs(self) -> Sequence[Commit | Dispatch]:
        """Return what has not been answered yet, else the commits of what waits, if anything does."""
        with self._lock:
            if self._open:
                return [verb for verb, _ in self._open]
            self._take_back()
            if not self._draft:
                return ()
            if self.pool or not self._draft.only_sends:
                return (self.commit_verb(part=self._draft.beginning(PIECE, _RECORDS)),)
            return self._chain()

    def _chain(self) -> Sequence[Commit | Dispatch]:
        """Several commits in a row, each of which builds on the one before: while one is made the next is packed."""
        draft, mails, records = self._draft, 0, 0
        if len(draft.mails) == 1 and not draft.records:
            return (self._go_on_with(Draft(mails=draft.mails.copy())),)
        while len(self._open) < MOST_ON_THEIR_WAY and (mails < len(draft.mails) or records < len(draft.records)):
            part = draft.piece(mails, records, PIECE, _RECORDS, PIECE_BYTES)
            mails, records = mails + len(part.mails), records + len(part.records)
            self._go_on_with(part)
        return [verb for verb, _ in self._open]

    def _go_on_with(self, part: Draft) -> Dispatch:
        """Put one more commit into the row that is on its way, or begin a row with it."""
        verb = Dispatch(
            session=self.context.session,
            branch=self.branch.id,
            token=self.token,
            version=self.version + len(self._open),
            records=part.log(local=True),
            mails=tuple(part.mails),
            lease_ms=self.context.lease_ms,
            nonce=self._open[-1][0].nonce if self._open else new_nonce(),
            follows=bool(self._open),
        )
        self._open.append((verb, part))
        return verb

    def asked(self) -> Sequence[Commit | Dispatch]:
        """Return what has not been answered yet."""
        with self._lock:
            return [verb for verb, _ in self._open]

    def next_piece(self) -> Commit | Dispatch | None:
        """Return the commit of what is held back next, if there is a full piece of it, to follow those on their way."""
        with self.context.lock, self._lock:
            self._since = self._weight = 0
            going, draft = len(self._open), self._draft
            if self.pool or self.keeps_outbox or self.in_turn or going == MOST_ON_THEIR_WAY:
                return None
            self._take_back()
            mails = sum(len(part.mails) for _, part in self._open)
            records = sum(len(part.records) for _, part in self._open)
            part = draft.piece(mails, records, PIECE, _RECORDS, PIECE_BYTES)
            if len(part.mails) < PIECE and mails + len(part.mails) == len(draft.mails):
                return None
            if draft.only_sends and not (going and isinstance(self._open[-1][0], Commit)):
                return self._go_on_with(part)
            return None if going else self.commit_verb(part=draft.beginning(PIECE, _RECORDS))

    def absorb(self, verb: Commit | Dispatch, answer: Claimed | Dispatched) -> None:
        """Take note of a commit's answer; what it wrote no longer waits here.

        Raises LeaseLost when it was refused: then what waited is void. ItemNotFoundError when the session is no more.
        """
        with self._lock:
            if not self._open or self._open[0][0] is not verb:
                # Another task asked for the same and took note of its answer already, or one before it was refused.
                return
            if answer.outcome == Outcome.UNKNOWN:
                raise gone(self.context.session)
            if answer.outcome in (Outcome.FENCED, Outcome.STALE):
                raise self._void(lease_lost(self.branch.name or self.branch.id, answer))
            if answer.outcome == Outcome.FULL:
                self._open.clear()
                raise self._refuse(answer.behaviour if isinstance(answer, Claimed) else answer.recipient)
            self._draft.drop_beginning(self._open.pop(0)[1])
            self.version = verb.version + 1
            if isinstance(verb, Commit):
                self.cursor = verb.consumed
            self._decide(verb.mails, GONE)
        if verb.mails:
            count_sent([wire.header.category for wire in verb.mails])
            if not self.keeps_outbox:
                self.branch.mailbox.let_go([wire.header.id for wire in verb.mails])

    def _refuse(self, recipient: str) -> MailboxFull:
        """Drop the mail to a branch that is full; the error that says so."""
        error = mailbox_full(self.context.directory.shown(recipient))
        dropped = self._draft.drop_to(recipient)
        for wire in dropped:
            self.branch.mailbox.exclude(wire.id)
        self._decide(dropped, error)
        return error

    def _void(self, error: LeaseLost) -> LeaseLost:
        """Drop what waits: it was made by somebody who no longer was the branch's owner; the error that says so."""
        for wire in self._draft.mails:
            self.branch.mailbox.exclude(wire.id)
        self._decide(self._draft.mails, error)
        self._draft, self._open = Draft(), []
        return error

    def _take_back(self) -> None:
        """Forget mail that was taken out of the outbox again before it went."""
        mailbox = self.branch.mailbox
        if mailbox.withdrawn == self._withdrawn:
            return
        with self._lock:
            begun, mails = sum(len(part.mails) for _, part in self._open), self._draft.mails
            mails[begun:] = [wire for wire in mails[begun:] if wire.id in mailbox]
            self._withdrawn = mailbox.withdrawn


def _refuse(change: object) -> None:
    raise BranchError(f"Nothing more is stored for the branch: {_RETIRED}.")
