"""A branch's history as records: what is written into its log, and how the branch is read back from it.

kinds of records
    mail     a message mail that joined the history: the bytes that came
    message  a message that the branch itself added or changed: {message, at}; `at` only when it was not appended
    remove   messages that left: {ids}
    order    a new order of the messages: {ids}
    tool     a tool that the branch has, or has no longer: {name, ref | local | gone}
    model    a model that the branch uses: {slot, ref | settings | local}
    log      an entry of the branch's own log: a Log
    took     a mail that took effect otherwise: {mail, category, sender, created, cause}; the last three where known
    sent     mails that the branch sent: {mails: [[id, recipient, category], …]}
    times    when the turn did what, see `lion_broker.branch.turn_times`; nothing of it belongs to the branch
    copy     everything another branch's log held up to a point: {branch, version, place, sender}
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from functools import lru_cache
from itertools import groupby
from typing import Any

from pydantic_core import from_json, to_json

from lion_broker.core.collector import collector_paused
from lion_broker.core.ids import IDType
from lion_broker.core.log import Log, LogPile
from lion_broker.core.pile_change import PileChange
from lion_broker.errors import LionError
from lion_broker.mail.exchange import PAUSE, Steps, ask
from lion_broker.mail.records import LogRecord, Record
from lion_broker.mail.verbs import ReadLog
from lion_broker.mail.wire import MAX_BODY_BYTES, Header, WireMail, decode_header, encode_json
from lion_broker.messages import MessageManager, RoledMessage
from lion_broker.messages.copies import Copies
from lion_broker.messages.written import Unread, message_of, unread_clone
from lion_broker.telemetry import logger

from .known_mails import KnownMails

__all__ = [
    "Chronicle",
    "Kind",
    "change_records",
    "copy_record",
    "first_page",
    "nothing_record",
    "received_message",
    "record_of",
    "sent_record",
    "took_record",
]

log = logger("branch")

_PAGE = 250
_FIRST_PAGE = 50
"""Records that are read before anybody knows how many there are, and whether they are needed."""
_MAX_RECORD_BYTES = 2 * MAX_BODY_BYTES
"""A message may grow after it came by mail, and what a branch says to itself need not travel."""
_BEHIND_ALL = 2**31
"""A place behind all records that one commit can write."""


Head = tuple[IDType, str, str, float]
"""What a history needs of a mail's header: id, sender, recipient, time of creation."""


class Kind(StrEnum):
    """What a record says; the list at the top of this module."""

    MAIL = "mail"
    MESSAGE = "message"
    REMOVE = "remove"
    ORDER = "order"
    TOOL = "tool"
    MODEL = "model"
    LOG = "log"
    TOOK = "took"
    SENT = "sent"
    COPY = "copy"
    TIMES = "times"


def record_of(kind: Kind, **values: Any) -> Record:
    """Return a record with a JSON body; raises NotPortable or MailTooLarge for what cannot be written."""
    return Record(kind, encode_json(values, f"A {kind} record", _MAX_RECORD_BYTES))


def change_records(change: PileChange[RoledMessage]) -> list[Record]:
    """Return the records of one change to a branch's messages."""
    if change.kind != "include":
        # However many they are: a long conversation may be put in order too.
        kind = Kind.REMOVE if change.kind == "exclude" else Kind.ORDER
        return [Record(kind, to_json({"ids": change.ids}))]
    records = []
    for offset, message in enumerate(change.items):
        where = {} if change.index is None else {"at": change.index + offset}
        records.append(record_of(Kind.MESSAGE, message=message.to_dict(), **where))
    return records


def received_message(head: Head, body: bytes) -> Unread | RoledMessage:
    """Return the message that a message mail puts into its recipient's history, as a rule still to be made.

    It is a clone of what was sent, with the mail's id and time, so that reading the log again gives the same message.
    """
    mail_id, sender, recipient, created = head
    return unread_clone(from_json(body)["item"], _id_of(sender), _id_of(recipient), mail_id, created)


def _head_of(raw: bytes) -> Head:
    """Read a header out of a log; whoever wrote it there had read it strictly, so only odd ones are again."""
    found = from_json(raw)
    try:
        mail_id, sender, recipient, created = found["id"], found["sender"], found["recipient"], found["created"]
        if type(created) is float and type(mail_id) is type(sender) is type(recipient) is str:
            return IDType(mail_id), sender, recipient, created
    except (LookupError, TypeError):
        pass
    header = decode_header(raw)
    return IDType(header.id), header.sender, header.recipient, header.created


@lru_cache(maxsize=1024)
def _id_of(text: str) -> IDType:
    """An id that many messages name, kept once."""
    return IDType(text)


class Chronicle:
    """What a branch's log says: messages, own log, tools and models, and the point up to which it was read.

    It is read into `msgs` and `logs`, which are empty at first. A page of the log, or of what was copied from another
    one, is the longest step between two pauses.
    """

    def __init__(
        self, session: str, branch: str, msgs: MessageManager | None = None, logs: LogPile | None = None
    ) -> None:
        self.session = session
        self.branch = branch
        self.msgs = MessageManager() if msgs is None else msgs
        self.logs = LogPile() if logs is None else logs
        self.tools: dict[str, dict[str, Any]] = {}
        self.models: dict[str, dict[str, Any]] = {}
        self.version = 0
        self.place = 0
        self.mails = KnownMails()
        self._reading = False

    def guard(self, refusal: Callable[[], Exception]) -> None:
        """Refuse changes to what was read, which would be nowhere else; with the error that `refusal` makes."""

        def check(change: PileChange[Any]) -> None:
            if not self._reading:
                raise refusal()

        self.msgs.messages.observe(check)
        self.logs.observe(check)

    def read_steps(self, until: tuple[int, int] | None = None, page: Sequence[LogRecord] | None = None) -> Steps[int]:
        """Read what the log holds since the last time, up to (version, place) if given; returns how many records.

        Its first `page`, which is what `first_page` asks for, may have been read before.
        """
        count, size = 0, _PAGE if page is None else _FIRST_PAGE
        while True:
            if page is None:
                page = yield from ask(ReadLog(self.session, self.branch, self.version, self.place, _PAGE))
            rows = [row for row in page if row.record.kind != "times"]
            if until is not None:
                rows = [row for row in rows if (row.version, row.place) <= until]
            for of_mails, run in groupby(rows, lambda row: row.record.kind == "mail"):
                if of_mails:
                    self._join(list(run))
                    continue
                for row in run:
                    yield from self._apply_silently(row)
                    self.version, self.place = row.version, row.place
            count += len(rows)
            if page and (until is None or (page[-1].version, page[-1].place) <= until):
                self.version, self.place = page[-1].version, page[-1].place
            elif page:
                return count
            if len(page) < size:
                return count
            page, size = None, _PAGE
            yield PAUSE

    def _join(self, rows: Sequence[LogRecord]) -> None:
        """Put the messages that mails brought at the end, many at once; they are made when somebody looks."""
        with collector_paused():
            arrived = [message for row in rows if (message := self._arrived(row)) is not None]
            self.msgs.messages.recall(arrived)
        self.version, self.place = rows[-1].version, rows[-1].place

    def _arrived(self, row: LogRecord) -> Unread | RoledMessage | None:
        """The message that a mail brought, if it did."""
        try:
            head = _head_of(row.record.head)
            if head[0] in self.mails:
                # A copy of a mail that was taken before has no effect, also where it was written down unread.
                return None
            self.mails.add(head[0])
            return received_message(head, row.record.body)
        except (LionError, ValueError, TypeError, LookupError, AttributeError) as error:
            self._leave_out(row, error)
            return None

    def _leave_out(self, row: LogRecord, error: Exception) -> None:
        """Something else wrote it. One record that nobody can read must not hide the rest of the history."""
        place = f"{row.version}-{row.place}"
        log.warning("branch %s: the log's entry %s is left out: %s", self.branch, place, type(error).__name__)

    def _apply_silently(self, row: LogRecord) -> Steps[None]:
        applying, answers = self._apply(row), None
        while True:
            self._reading = True
            try:
                verbs = next(applying) if answers is None else applying.send(answers)
            except StopIteration:
                return
            except (LionError, ValueError, TypeError, LookupError, AttributeError) as error:
                self._leave_out(row, error)
                return
            finally:
                self._reading = False
            answers = yield verbs

    def _apply(self, row: LogRecord) -> Steps[None]:
        record = row.record
        body = from_json(record.body)
        if record.kind == Kind.COPY:
            yield from self._copy(body)
        elif record.kind == Kind.MESSAGE:
            self._include(message_of(body["message"]), body.get("at"))
        elif record.kind == Kind.REMOVE:
            self.msgs.messages.exclude(body["ids"])
        elif record.kind == Kind.ORDER:
            self.msgs.messages.progression = body["ids"]
        elif record.kind == Kind.TOOL:
            self.tools.pop(body["name"], None)
            if not body.get("gone"):
                self.tools[body["name"]] = body
        elif record.kind == Kind.MODEL:
            self.models[body["slot"]] = body
        elif record.kind == Kind.LOG:
            self.logs.include(Log.from_dict(body["log"]))
        elif record.kind == Kind.TOOK and (mail := body["mail"]):
            self.mails.add(str(mail))

    def _include(self, message: RoledMessage, at: int | None) -> None:
        pile = self.msgs.messages
        if at is None or message.id in pile:
            pile.include(message)
        else:
            pile.insert(at, message)

    def _copy(self, body: dict[str, Any]) -> Steps[None]:
        source = Chronicle(self.session, body["branch"])
        yield from source.read_steps(until=(body["version"], body["place"]))
        messages, sender, branch = source.msgs.messages.values(), IDType(body["sender"]), IDType(self.branch)
        for first in range(0, len(messages), _PAGE):
            self.msgs.messages.include(Copies(messages[first : first + _PAGE], sender, branch).make())
            yield PAUSE
        self.tools.update(source.tools)
        self.models.update(source.models)


def first_page(session: str, branch: str) -> ReadLog:
    """Return the read of the beginning of a log."""
    return ReadLog(session, branch, 0, 0, _FIRST_PAGE)


def copy_record(branch: str, version: int, sender: str) -> Record:
    """Return the record that a split begins with: all that the log of `branch` held up to a version, with it.

    `sender` is the id that clones of its messages have as their sender.
    """
    return record_of(Kind.COPY, branch=str(branch), version=version, place=_BEHIND_ALL, sender=str(sender))


def took_record(header: Header) -> Record:
    """Return the record of a mail that took effect."""
    told: dict[str, Any] = {"mail": str(header.id), "category": str(header.category)}
    told |= {"sender": str(header.sender), "created": header.created}
    if header.in_reply_to is not None:
        told["cause"] = str(header.in_reply_to)
    return Record(Kind.TOOK, to_json(told))


def nothing_record() -> Record:
    """Return the record of a commit that has no other: a log has no gaps."""
    return Record(Kind.TOOK, to_json({"mail": "", "category": ""}))


def sent_record(mails: Iterable[WireMail]) -> Record:
    """Return the record of mails that a turn sent."""
    # Ids and categories need no escapes.
    rows = [f'["{header.id}","{header.recipient}","{header.category}"]' for mail in mails for header in (mail.header,)]
    return Record(Kind.SENT, f'{{"mails":[{",".join(rows)}]}}'.encode())
