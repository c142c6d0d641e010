"""Counts mail: what was sent, what took effect, what is lost, what took effect twice.

Both sides are read from the logs that the branches' commits have written, so nobody's own counting is believed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from pydantic_core import from_json

from lion_broker.branch.journal import Kind
from lion_broker.mail.exchange import Exchange, Steps, ask, run
from lion_broker.mail.records import START, Rejected
from lion_broker.mail.records import Record as LogEntry
from lion_broker.mail.verbs import ReadBranches, ReadDead, ReadInbox, ReadLog
from lion_broker.mail.wire import decode_header

__all__ = ["Audit", "audit", "compare", "sent_in", "taken_in"]

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Audit:
    """How the mail of a session fared: `lost` was sent and is nowhere, `duplicates` took effect more than once."""

    mails: int
    lost: int
    duplicates: int


def compare(sent: Iterable[str], taken: Iterable[str], kept: Collection[str] = ()) -> Audit:
    """Compare the ids of mails that were sent with those that took effect; `kept` wait, or are dead letters."""
    sent_ids, effects = set(sent), Counter(taken)
    lost = sent_ids - effects.keys() - set(kept)
    return Audit(len(sent_ids), len(lost), sum(count - 1 for count in effects.values()))


def sent_in(log: Iterable[LogEntry]) -> Iterator[str]:
    """Yield the ids of the mails that a branch's log says it has sent."""
    for entry in log:
        if entry.kind == Kind.SENT:
            yield from (mail_id for mail_id, *_ in from_json(entry.body)["mails"])


def taken_in(log: Iterable[LogEntry]) -> Iterator[str]:
    """Yield the id of every mail that took effect, as often as a branch's log says that it did."""
    for entry in log:
        if entry.kind == Kind.MAIL:
            yield decode_header(entry.head).id
        elif entry.kind == Kind.TOOK and (mail_id := from_json(entry.body)["mail"]):
            yield mail_id


def audit(exchange: Exchange, session: str) -> Audit:
    """Count the mail of a session in which nothing is in flight any more; a few round trips a branch, blocking.

    Mail that a program posted in the name of a branch elsewhere stands in no log as sent, and is not counted.
    """
    return run(exchange, _audit_steps(session))


def _audit_steps(session: str) -> Steps[Audit]:
    sent: list[str] = []
    taken: list[str] = []
    kept = yield from _dead_steps(session)
    branches = yield from ask(ReadBranches(session))
    for branch in (session, *(record.id for record in branches)):
        log = yield from _log_steps(session, branch)
        sent += sent_in(log)
        taken += taken_in(log)
        kept += yield from _waiting_steps(session, branch)
    return compare(sent, taken, kept)


def _log_steps(session: str, branch: str) -> Steps[list[LogEntry]]:
    log: list[LogEntry] = []
    version, place = 0, 0
    while page := (yield from ask(ReadLog(session, branch, version, place, _PAGE))):
        log += (row.record for row in page)
        version, place = page[-1].version, page[-1].place
    return log


def _waiting_steps(session: str, branch: str) -> Steps[list[str]]:
    waiting: list[str] = []
    after = START
    while page := (yield from ask(ReadInbox(session, branch, after, _PAGE))):
        waiting += (entry.mail.id for entry in page if not isinstance(entry.mail, Rejected))
        after = page[-1].id
    return waiting


def _dead_steps(session: str) -> Steps[list[str]]:
    dead: list[str] = []
    after = START
    while page := (yield from ask(ReadDead(session, after, _PAGE))):
        dead += (letter.mail.id for letter in page if letter.mail is not None)
        after = page[-1].id
    return dead
