"""One mail from outside a program, in the name of the session itself, and the wait for what answers it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic_core import from_json

from lion_broker.branch.directory import gone
from lion_broker.branch.items import decode_item, encode_item
from lion_broker.branch.journal import Kind
from lion_broker.branch.registry import Registry
from lion_broker.errors import BranchClosed, ConfigError, ItemNotFoundError, MailError, RoundTimeout
from lion_broker.mail.exchange import Steps, ask, ask_all
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.package import PackageCategory
from lion_broker.mail.records import START, DeadLetter, LogRecord, Record
from lion_broker.mail.verbs import ReadBranches, ReadDead, ReadEvents, ReadInbox, ReadLog, ReadSession, Send, Verb
from lion_broker.mail.wire import Header, WireMail

from .inbox import commit_steps
from .postbox import Postbox
from .settle import move_steps

__all__ = ["CATEGORIES", "Answer", "MailRequest", "request_to"]

CATEGORIES: Final = (PackageCategory.MESSAGE, PackageCategory.TOOL, PackageCategory.IMODEL)
"""What may be sent as a text: what is said, or a name that the workers' registry has."""

_ELSEWHERE: Final = "workers"
"""Stands for any pool: what is sent must be able to leave this process."""
_WAIT_MS: Final = 500
_TRIES: Final = 20
_TRY_MS: Final = 100


@dataclass(frozen=True, slots=True)
class Answer:
    """A mail that came back to the session: its id, who sent it, and what it says."""

    mail: str
    sender: str
    category: str
    item: Any
    after: str | None = None
    """The entry of the session's inbox behind which it was found; None for one that had been taken already."""


@dataclass(slots=True)
class MailRequest:
    """A mail to one branch, and how far the stations at which its answer may turn up have been read.

    The answer is mail for the session: a program that has it open may take it at any time, and who has waited for it
    does so with `take_steps`.
    """

    session: str
    branch: str
    wire: WireMail
    inbox: str = START
    dead: str = START
    log: tuple[int, int] = (0, 0)
    events: str = "$"
    found: list[Answer] = field(default_factory=list)

    @property
    def id(self) -> str:
        """The mail's id."""
        return self.wire.id

    def send_steps(self, *, awaited: bool = True) -> Steps[None]:
        """Post the mail; with manual delivery, deliver what waits for the branch as well.

        Unless it is `awaited`, nothing is read that only who waits for an answer needs. Raises ItemNotFoundError,
        BranchClosed, MailboxFull.
        """
        verbs: list[Verb[Any]] = [ReadSession(self.session), ReadBranches(self.session, ids=(self.branch,))]
        record, branches = yield from ask_all(verbs)
        if record is None:
            raise gone(self.session)
        if not branches:
            raise ItemNotFoundError(
                f"The session {self.session} has no branch {self.branch}; `lion-broker branch ls {self.session}` lists"
                " them."
            )
        if branches[0].state != "open":
            raise BranchClosed(f"The branch {self.branch} was removed; it takes no mail.")
        if awaited:
            yield from self._read_steps()
            self.found.clear()
        yield from Postbox(self.session).post_steps([self.wire])
        if record.fields["delivery"] == "manual":
            yield from move_steps(self.session, lambda resume: Send(self.session, (self.branch,), True, resume=resume))

    def answer_steps(self, seconds: float) -> Steps[Answer]:
        """Wait for the first mail that answers this one; raises RoundTimeout, or MailError when this one has died."""
        deadline = time.monotonic() + seconds
        record = yield from ask(ReadSession(self.session))
        if record is None:
            raise gone(self.session)
        while True:
            if record.fields["delivery"] == "manual":
                yield from move_steps(self.session, lambda resume: Send(self.session, (self.session,), resume=resume))
            letter = yield from self._read_steps()
            if self.found:
                return self.found[0]
            if letter is not None:
                why = f": {letter.detail.rstrip(' .')}" if letter.detail else ""
                raise MailError(
                    f"The mail became a dead letter ({letter.reason}){why}. `lion-broker dead show {self.session}"
                    f" {letter.id}` has more."
                )
            left_ms = int((deadline - time.monotonic()) * 1000)
            if left_ms <= 0:
                raise RoundTimeout(
                    f"Nothing came back to the mail {self.id} in {seconds:g} s. Is a worker running for the branch's"
                    f" pool (lion-broker branch ls {self.session[:13]}), and does its behaviour answer?"
                )
            happened = yield from ask(ReadEvents(self.session, self.events, wait_ms=min(left_ms, _WAIT_MS), gaps=False))
            self.events = happened[-1].id if happened else self.events

    def take_steps(self, answer: Answer, by: str) -> Steps[bool]:
        """Receive an answer, as a program that has the session open would: it goes over into the session's history.

        Says whether it is there now. A tool or a model stays in the inbox, for a program that can use it; and so does
        what cannot be read, or what others keep from being taken for some seconds.
        """
        if answer.after is None:
            return True
        if answer.category != PackageCategory.MESSAGE:
            return False
        for _ in range(_TRIES):
            entries = yield from ask(ReadInbox(self.session, self.session, answer.after))
            found = [(one.id, one.mail) for one in entries if isinstance(one.mail, WireMail)]
            place, mail = next(((place, mail) for place, mail in found if mail.id == answer.mail), (START, None))
            if mail is None:
                # A program has taken it, or the session is gone.
                return True
            try:
                record = _record(mail)
            except (MailError, LookupError, ValueError):
                return False
            outcome = yield from commit_steps(self.session, by, (record,), (place,))
            if outcome in (Outcome.OK, Outcome.ALREADY):
                return True
            # Somebody else is at it, and has ended when something happens, or a little later.
            yield from ask(ReadEvents(self.session, self.events, wait_ms=_TRY_MS, gaps=False))
        return False

    def _read_steps(self) -> Steps[DeadLetter | None]:
        """Read on at all stations; returns the dead letter that the mail has become."""
        if self.events == "$":
            self.events = (yield from ask(ReadEvents(self.session, "$")))[0].id
        while entries := (yield from ask(ReadInbox(self.session, self.session, self.inbox))):
            before, self.inbox = self.inbox, entries[-1].id
            mails = [entry.mail for entry in entries if isinstance(entry.mail, WireMail)]
            self.found += [
                _answer(mail.header, mail.item(), before) for mail in mails if mail.header.in_reply_to == self.id
            ]
        while rows := (yield from ask(ReadLog(self.session, self.session, *self.log))):
            self.log = (rows[-1].version, rows[-1].place)
            self.found += self._logged(rows)
        while letters := (yield from ask(ReadDead(self.session, self.dead))):
            self.dead = letters[-1].id
            if dead := [one for one in letters if one.mail and one.mail.id == self.id]:
                return dead[0]
        return None

    def _logged(self, rows: tuple[LogRecord, ...]) -> Iterator[Answer]:
        """Answers that a program which has the session open has taken meanwhile."""
        for row in rows:
            head = from_json(row.record.head) if row.record.kind == "mail" and row.record.head else {}
            if head.get("in_reply_to") == self.id:
                yield Answer(head["id"], head["sender"], head["category"], from_json(row.record.body).get("item"))


def request_to(session: str, branch: str, category: str, text: str, user: str | None = None) -> MailRequest:
    """Return a mail with a text: what is said, or the name of a tool or model. `user` says who has asked.

    Raises ConfigError for an empty text and for another category, MailTooLarge.
    """
    if category not in CATEGORIES:
        raise ConfigError(f"The category is {category!r:.40}; one of {', '.join(CATEGORIES)} can be sent as a text.")
    if not text.strip():
        raise ConfigError("The text is empty; say what is to be sent, or - for standard input.")
    kind = PackageCategory(category)
    body = encode_item(kind, text if kind is PackageCategory.MESSAGE else text.strip(), user, _ELSEWHERE, None)
    return MailRequest(session, branch, WireMail(Header(session, session, branch, kind.value), body))


def _answer(header: Header, body: Any, after: str) -> Answer:
    item = body.get("item") if isinstance(body, dict) else body
    return Answer(header.id, header.sender, header.category, item, after)


def _record(mail: WireMail) -> Record:
    """A message of the session's own history; raises what `decode_item` does for one that is none."""
    header = mail.header
    decode_item(PackageCategory.MESSAGE, mail.item(), Registry(), None, header.id, float(header.created))
    return Record(Kind.MAIL, mail.body, mail.head)
