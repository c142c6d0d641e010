"""Who mailed whom: read from a session's logs, and compared with what a test expects."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

from pydantic_core import from_json

from lion_broker.branch.journal import Kind
from lion_broker.mail.exchange import Steps, ask, run, together
from lion_broker.mail.package import PackageCategory
from lion_broker.mail.records import START, Record, Rejected
from lion_broker.mail.verbs import ReadBranches, ReadDead, ReadInbox, ReadLog
from lion_broker.mail.wire import Header, decode_header
from lion_broker.session.session import Session

__all__ = ["MailStep", "Order", "assert_mail_flow", "mail_flow"]

Order = Literal["sent", "pair", "any"]

_PAGE = 1000
_UNKNOWN = "?"
"""The sender of a mail other than a message that was posted in a branch's name: its recipient's log has only the id."""


class MailStep(NamedTuple):
    """One mail: the names of sender and recipient (the id of a branch without a name), and its category."""

    sender: str
    recipient: str
    category: str

    def __str__(self) -> str:
        return f"{self.sender} → {self.recipient}: {self.category}"


def mail_flow(session: Session) -> list[MailStep]:
    """Return the mail of a session, in the order of sending.

    Read from the logs, the mail that waits, and the dead letters; commands to remote branches do not count. Mail of one
    process is in exact order, mail of different processes to the millisecond. The session itself is called "session".
    Stores what local branches have done first. Blocks for a few round trips.
    """
    session.flush()
    return run(session.exchange, _flow_steps(session.id))


def assert_mail_flow(
    session: Session,
    expected: Iterable[tuple[Any, Any, str]],
    *,
    order: Order = "sent",
    others: bool = False,
) -> None:
    """Fail unless the mail of a session is `[("alice", "bob", "message"), …]`; branches go by name, id or object.

    `order` is "sent" (all mail in the order of sending), "pair" (only that of each sender to each recipient, which is
    the order that the package promises) or "any". With `others` there may be more mail than is expected. Raises
    AssertionError with a diff. Mail that is still on its way to a worker is not seen: wait for it, with
    `session.wait_idle()`.
    """
    names = {str(branch.id): branch.name or str(branch.id) for branch in session.branches}
    names[str(session.id)] = "session"
    wanted = [
        _named(MailStep(_ref(sender), _ref(recipient), PackageCategory.validate(category).value), names)
        for sender, recipient, category in expected
    ]
    wanted, seen = _in_order(wanted, order), _in_order(mail_flow(session), order)
    if not (_is_within(wanted, seen) if others else wanted == seen):
        raise AssertionError(_difference(wanted, seen, order))


def _flow_steps(session: str) -> Steps[list[MailStep]]:
    names, start = {session: "session"}, 0
    while page := (yield from ask(ReadBranches(session, start=start, count=_PAGE))):
        names.update({record.id: record.seed.name or record.id for record in page})
        start += len(page)
    read = [steps for branch in names for steps in (_told_steps(session, branch), _waiting_steps(session, branch))]
    found: dict[str, MailStep] = {}
    for told in (yield from together([*read, _dead_steps(session)])):
        for mail, step in told.items():
            known = found.get(mail, step)
            found[mail] = step if known.sender == _UNKNOWN else known
    # Branches that were removed are read by their ids only.
    gone = {branch for step in found.values() for branch in step[:2]} - names.keys() - {_UNKNOWN}
    for record in (yield from ask(ReadBranches(session, tuple(gone)))) if gone else ():
        names[record.id] = record.seed.name or record.id
    # Ids of mails begin with the time of sending.
    return [_named(found[mail], names) for mail in sorted(found) if found[mail].category != PackageCategory.COMMAND]


def _told_steps(session: str, branch: str) -> Steps[dict[str, MailStep]]:
    """Read the mails that a branch's log tells of, by their ids."""
    told: dict[str, MailStep] = {}
    version = place = 0
    while page := (yield from ask(ReadLog(session, branch, version, place, _PAGE))):
        for row in page:
            told.update(_mails_of(row.record, branch))
        version, place = page[-1].version, page[-1].place
    return told


def _mails_of(record: Record, branch: str) -> dict[str, MailStep]:
    if record.kind == Kind.MAIL:
        return _sent(decode_header(record.head))
    if record.kind == Kind.SENT:
        return {mail: MailStep(branch, to, category) for mail, to, category in from_json(record.body)["mails"]}
    if record.kind == Kind.TOOK and (body := from_json(record.body))["mail"]:
        return {body["mail"]: MailStep(body.get("sender", _UNKNOWN), branch, body["category"])}
    return {}


def _waiting_steps(session: str, branch: str) -> Steps[dict[str, MailStep]]:
    """Read the mails that wait for a branch to receive them."""
    waiting: dict[str, MailStep] = {}
    after = START
    while page := (yield from ask(ReadInbox(session, branch, after, _PAGE))):
        for entry in page:
            waiting.update({} if isinstance(entry.mail, Rejected) else _sent(entry.mail.header))
        after = page[-1].id
    return waiting


def _dead_steps(session: str) -> Steps[dict[str, MailStep]]:
    dead: dict[str, MailStep] = {}
    after = START
    while page := (yield from ask(ReadDead(session, after, _PAGE))):
        for letter in page:
            dead.update({} if letter.mail is None else _sent(letter.mail.header))
        after = page[-1].id
    return dead


def _sent(header: Header) -> dict[str, MailStep]:
    return {header.id: MailStep(header.sender, header.recipient, header.category)}


def _named(step: MailStep, names: Mapping[str, str]) -> MailStep:
    return step._replace(
        sender=names.get(step.sender, step.sender), recipient=names.get(step.recipient, step.recipient)
    )


def _ref(branch: Any) -> str:
    return str(getattr(branch, "id", branch))


def _in_order(steps: list[MailStep], order: Order) -> list[MailStep]:
    """Return steps sorted by all that does not count, so that comparing lists compares the rest."""
    if order == "any":
        return sorted(steps)
    return sorted(steps, key=lambda step: step[:2]) if order == "pair" else steps


def _is_within(wanted: list[MailStep], seen: list[MailStep]) -> bool:
    left = iter(seen)
    return all(step in left for step in wanted)


def _difference(wanted: list[MailStep], seen: list[MailStep], order: Order) -> str:
    lines = difflib.ndiff([str(step) for step in wanted], [str(step) for step in seen])
    shown = [line for line in lines if not line.startswith("?")]
    ordered = {"sent": "in the order of sending", "pair": "by sender and recipient", "any": "in any order"}[order]
    head = f"The mail is not as expected, {ordered} (- is missing, + was not expected):"
    return "\n".join([head, *(shown or ["  there is no mail at all"])])
