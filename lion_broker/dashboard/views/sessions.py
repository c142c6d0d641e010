"""Sessions and branches as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from pydantic_core import from_json

from lion_broker.core.ids import IDType
from lion_broker.core.portable import one_line
from lion_broker.dashboard.tables import Column, Empty, Order, Row, Table
from lion_broker.insight.passages import Passages
from lion_broker.mail.naming import DEFAULT_BRANCH
from lion_broker.mail.records import BranchRecord, SessionRecord

__all__ = [
    "NO_BRANCHES",
    "NO_SESSIONS",
    "branch_name",
    "branch_names",
    "branch_state",
    "branch_table",
    "created_at",
    "default_branch",
    "session_fields",
    "session_name",
    "session_table",
]

_LONGEST_NAME: Final = 200
NEWEST_FIRST: Final = Order("created", descending=True)
NO_SESSIONS: Final = Empty(
    "There are no sessions yet. A session is made by a program, or by the demonstration:",
    "lion-broker demo research --keep",
)
NO_BRANCHES: Final = Empty(
    "The session has no branches. A program makes them:", 'session.new_branch(name="ada", pool="default")'
)


def session_fields(record: SessionRecord) -> dict[str, Any]:
    """The fields that a session was given, as values; one that cannot be read stays the text that it is."""
    found: dict[str, Any] = {}
    for name, text in record.fields.items():
        try:
            found[name] = text if name == "delivery" else from_json(text)
        except ValueError:
            found[name] = text
    return found


def session_name(record: SessionRecord) -> str:
    """What a person calls a session: its name, or the end of its id."""
    name = session_fields(record).get("name")
    return one_line(str(name), _LONGEST_NAME) if name else f"session …{record.id[-8:]}"


def created_at(record: SessionRecord) -> float | None:
    """When a session was made, by its maker's clock, if it says so."""
    at = session_fields(record).get("created_at")
    return float(at) if isinstance(at, (int, float)) and not isinstance(at, bool) else None


def session_table(
    records: Sequence[SessionRecord], following: str = "", note: str = "", empty: Empty = NO_SESSIONS
) -> Table:
    """Sessions, a row each, newest first."""
    columns = (
        Column("name", "Session"),
        Column("created", "Created", "moment"),
        Column("branches", "Branches", "number"),
        Column("posted", "Delivered", "number", "Mails that reached a mailbox or inbox."),
        Column("applied", "Processed", "number", "Mails whose effect is committed."),
        Column("inflight", "Waiting", "number", "Mails in mailboxes, and those that wait to be tried again."),
        Column("delayed", "Delayed", "number", "Mails that are to be delivered later.", rare=True),
        Column("dead", "Dead", "number", "Dead letters that are there now."),
        Column("redelivered", "Redelivered", "number", "Mails handed out again after a worker was lost or failed."),
        Column("delivery", "Delivery", hint="auto: mail flows by itself. manual: the session commands each round."),
        Column("id", "Id", "code"),
    )
    rows = [_session_row(one) for one in records]
    natural = NEWEST_FIRST
    return Table("sessions", "Sessions", columns, rows, empty, following, note, sorts=True, natural=natural)


def _session_row(record: SessionRecord) -> Row:
    home = f"/sessions/{record.id}"
    values = {
        "name": session_name(record),
        "id": record.id,
        "created": created_at(record),
        "delivery": record.fields["delivery"],
        "branches": record.branches,
        **record.counters,
    }
    links = {"name": home, "id": home, "branches": f"{home}/branches"}
    if record.counters["dead"]:
        links["dead"] = f"/dead?session={record.id}"
    return Row(values, links, record.id)


def branch_name(record: BranchRecord, default: str = "") -> str:
    """What a person calls a branch: its name, or that it is its session's `default` (an id), or its id's end."""
    if not record.seed.name and record.id == default:
        return DEFAULT_BRANCH
    return one_line(record.seed.name, _LONGEST_NAME) or f"…{record.id[-8:]}"


def default_branch(record: SessionRecord) -> str:
    """The id of the branch that stands for a session, if it has one."""
    return str(session_fields(record).get("default_branch") or "")


def branch_names(passages: Passages, record: SessionRecord) -> dict[str, str]:
    """Return what people call the branches of a session, those that were removed included, and the session itself."""
    history, default = passages.history, default_branch(record)
    removed = {one: name or f"…{one[-8:]}" for one, name in history.names.items()}
    known = {one: branch_name(kept, default) for one, kept in history.records.items()}
    return {**removed, **known, history.session: "the session"}


def branch_state(record: BranchRecord) -> str:
    """One word for where a branch stands: closed, paused, working, retrying, waiting, held or idle."""
    if record.state != "open":
        return "closed"
    if record.paused:
        return "paused"
    if record.seed.pool and record.leased:
        return "working"
    if record.deferred:
        return "retrying"
    if record.waiting or record.inbox:
        return "waiting"
    return "local" if not record.seed.pool else "idle"


def branch_table(
    session: str,
    records: Sequence[BranchRecord],
    following: str = "",
    *,
    default: str = "",
    of: Mapping[str, str] | None = None,
    empty: Empty = NO_BRANCHES,
    note: str = "",
) -> Table:
    """Branches with what waits at each; with `of` (names by session) those of several sessions."""
    columns = (
        *((Column("session", "Session"),) if of is not None else ()),
        Column("name", "Branch"),
        Column("state", "State", "state"),
        # What waits stands beside the state: it is what the page is for, and where room is short the rest gives way.
        Column("waiting", "Mailbox", "number", "Mails to be handled, in order."),
        Column("inbox", "Inbox", "number", "Delivered, not yet received (manual delivery).", rare=True),
        Column("outgoing", "Outbox", "number", "Mail out that waits for a round (manual delivery).", rare=True),
        Column("retrying", "Retrying", "number", "Mail that has failed and waits to be tried again.", rare=True),
        Column("delayed", "Delayed", "number", "Mail that is to be delivered later.", rare=True),
        Column("at_since", "At it since", "moment", "When its worker began with the mail that it is at.", rare=True),
        Column("pool", "Pool", hint="Which workers may host it; none: the process that made it."),
        Column("behaviour", "Behaviour", hint="What it does with mail."),
        Column("owner", "Worker", "code", "Who works on it now."),
        Column("version", "Turns", "number", "How many times it has committed."),
        Column("paused", "Why paused", rare=True),
        Column("id", "Id", "code"),
    )
    rows = [branch_row(session, record, of or {}, default) for record in records]
    return Table("branches", "Mailboxes", columns, rows, empty, following, note, sorts=True)


def branch_row(session: str, record: BranchRecord, of: Mapping[str, str], default: str = "") -> Row:
    """One branch as a row."""
    home = f"/sessions/{session}"
    values = {
        "session": of.get(session, session),
        "name": branch_name(record, default),
        "id": record.id,
        "state": branch_state(record),
        "pool": record.seed.pool,
        "behaviour": record.seed.behaviour,
        "owner": record.owner if record.leased else "",
        "at_since": record.at_since / 1000 if record.at_since and record.leased else None,
        "waiting": record.waiting,
        "inbox": record.inbox,
        "outgoing": record.outbox,
        "retrying": record.deferred,
        "delayed": record.delayed,
        "version": record.version,
        "paused": record.paused,
    }
    talk = f"{home}/conversation?branch={record.id}"
    links = {"session": home, "name": talk, "id": talk}
    if record.at:
        links["at_since"] = f"{home}/trace?mail={quote(record.at)}"
    return Row(values, links, IDType(record.id))
