"""Programs over the exchange that read what one page shows, in bounded pieces, and no more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic_core import from_json

from lion_broker.branch.journal import Kind
from lion_broker.dashboard.views.sessions import branch_name
from lion_broker.errors import ItemNotFoundError
from lion_broker.insight.history import Story
from lion_broker.insight.pending import Waits
from lion_broker.mail.checks import is_id
from lion_broker.mail.exchange import Steps, ask, ask_all, together
from lion_broker.mail.records import BranchRecord, DeadLetter, LogRecord
from lion_broker.mail.verbs import ReadBranches, ReadDead, ReadLog, ReadWaiting
from lion_broker.mail.waiting import WaitsAt
from lion_broker.mail.wire import WireMail

__all__ = [
    "Stretch",
    "branch_steps",
    "find_letter_steps",
    "mail_steps",
    "names_steps",
    "newest_steps",
    "stretches_steps",
]

_LAST_PLACE: Final = 2**53
_PAGE: Final = 100
_FIRST_WIDTH: Final = 16
_MOST_READ: Final = 4000
_IDS: Final = 200


@dataclass(frozen=True, slots=True)
class Stretch:
    """A piece of a branch's log, in order. `before` is the version before which older records are, 0 for none."""

    branch: str
    rows: tuple[LogRecord, ...]
    before: int


def newest_steps(session: str, record: BranchRecord, before: int, count: int) -> Steps[Stretch]:
    """Read about `count` records at the end of a branch's log, or before a version: whole commits, never torn.

    A log can be read forwards only, but its ids begin with versions, so one can begin some versions before the end;
    when these hold too little, further back.
    """
    last = min(before - 1, record.version) if before else record.version
    width = _FIRST_WIDTH
    while True:
        first = max(0, last - width)
        rows = yield from _between_steps(session, record.id, first, last)
        if len(rows) >= count or first == 0 or len(rows) >= _MOST_READ:
            break
        width *= 4
    kept = _whole_commits(rows, count)
    return Stretch(record.id, kept, kept[0].version if kept and (kept[0] is not rows[0] or first) else 0)


def stretches_steps(session: str, records: Iterable[BranchRecord], count: int) -> Steps[list[Stretch]]:
    """Read the newest records of several branches side by side."""
    return (yield from together([newest_steps(session, record, 0, count) for record in records]))


def _between_steps(session: str, branch: str, first: int, last: int) -> Steps[list[LogRecord]]:
    """The records of the versions after `first` up to `last`; of very many the newest."""
    rows: list[LogRecord] = []
    at = (first, _LAST_PLACE if first else 0)
    while page := (yield from ask(ReadLog(session, branch, *at, count=_PAGE))):
        rows += (row for row in page if row.version <= last)
        rows = rows[-_MOST_READ:]
        at = (page[-1].version, page[-1].place)
        if len(page) < _PAGE or page[-1].version > last:
            break
    return rows


def _whole_commits(rows: list[LogRecord], count: int) -> tuple[LogRecord, ...]:
    """The newest `count` rows, and those that were committed together with the first of them."""
    if len(rows) <= count:
        return tuple(rows)
    version = rows[-count].version
    return tuple(row for row in rows if row.version >= version)


def branch_steps(session: str, branch: str) -> Steps[BranchRecord]:
    """Read a branch; raises ItemNotFoundError."""
    records = (yield from ask(ReadBranches(session, ids=(branch,)))) if is_id(branch) else ()
    if not records:
        raise ItemNotFoundError(f"The session has no branch {branch[:128]}.")
    return records[0]


def mail_steps(session: str, story: Story, waits: Waits | None) -> Steps[Mapping[str, Any] | None]:
    """Read a whole mail, header and body, where it stands: in a log, or in the mailbox or inbox where it waits.

    None for mail that is kept elsewhere, such as a dead letter, or nowhere any more.
    """
    head, body = b"", b""
    if story.written is not None:
        branch, version, place = story.written
        rows = yield from ask(ReadLog(session, branch, version, place - 1, 1))
        if rows and rows[0].version == version and rows[0].record.kind == Kind.MAIL:
            head, body = rows[0].record.head, rows[0].record.body
    elif waits is not None and waits.where in (WaitsAt.MAILBOX, WaitsAt.INBOX):
        found = yield from ask(ReadWaiting(session, waits.branch, waits.where, _before(waits.place), "", 1, whole=True))
        if found and isinstance(mail := found[0].mail, WireMail) and mail.id == story.mail:
            head, body = mail.head, mail.body
    try:
        return {"header": from_json(head), "body": from_json(body)} if head else None
    except ValueError:
        return None


def _before(entry: str) -> str:
    """The last id before that of an entry."""
    head, _, tail = entry.partition("-")
    return f"{int(head)}-{int(tail) - 1}" if int(tail) else f"{max(0, int(head) - 1)}-{2**64 - 1}"


def names_steps(wanted: Iterable[tuple[str, str]], defaults: Iterable[str] = ()) -> Steps[dict[str, str]]:
    """Return what people call branches, given as (session, branch); unknown ones are left out.

    `defaults` are the ids of the sessions' default branches.
    """
    by_session: dict[str, list[str]] = {}
    for session, branch in dict.fromkeys(wanted):
        if is_id(branch):
            by_session.setdefault(session, []).append(branch)
    verbs = [
        ReadBranches(session, ids=tuple(ids[first : first + _IDS]))
        for session, ids in by_session.items()
        for first in range(0, len(ids), _IDS)
    ]
    pages = yield from ask_all(verbs)
    pending = frozenset(defaults)
    records = [record for page in pages for record in page]
    names = {one.id: branch_name(one, one.id if one.id in pending else "") for one in records}
    return {**names, **dict.fromkeys(by_session, "the session")}


def find_letter_steps(session: str, letter: str) -> Steps[DeadLetter]:
    """Read one dead letter; raises ItemNotFoundError."""
    head, _, tail = letter.partition("-")
    if is_id(session) and head.isascii() and head.isdecimal() and tail.isascii() and tail.isdecimal():
        found = yield from ask(ReadDead(session, _before(letter), 1))
        if found and found[0].id == letter:
            return found[0]
    raise ItemNotFoundError(f"There is no dead letter {letter[:60]} in the session (any more).")
