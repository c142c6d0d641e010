"""`session ls`, `show` and `rm`: what an exchange holds."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from lion_broker.errors import ConfigError, ItemNotFoundError
from lion_broker.mail.naming import DEFAULT_BRANCH, default_of

from . import completion
from .auditing import note
from .listing import Column, Interval, Limit, Listing, Output, Watch, form_of, told, watched
from .options import AsJson, Namespace, Url, exchange_at
from .printing import moment, print_json, since
from .session_lookup import One, name_of, records_of, session_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from lion_broker.mail.exchange import Exchange
    from lion_broker.mail.records import BranchRecord, SessionRecord

    Filter = Callable[[SessionRecord], bool]

__all__ = ["BRANCH_COLUMNS", "branch_row", "branch_rows", "branch_title", "ls", "rm", "show"]

_SHOWN: Final = 100
"""Sessions of a table for people where nobody has said how many."""

Many = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[SESSION]...",
        help="Sessions: their ids, pieces of them, or names.",
        autocompletion=completion.sessions,
    ),
]
Having = Literal["waiting", "delayed", "dead", "nothing"]
_COLUMNS: Final = (
    Column("id", kind="id"),
    Column("name", kind="text"),
    Column("age", lambda row: since(row["created"]), kind="number", spare=1),
    Column("created", wide=True),
    Column("delivery", wide=True),
    Column("branches", kind="number", spare=4),
    Column("mails", "posted", kind="number", spare=2),
    Column("applied", kind="number", spare=3),
    Column("in flight", "inflight", kind="number"),
    Column("delayed", kind="number", rare=True),
    Column("redelivered", kind="number", rare=True, spare=5),
    Column("dead", kind="number"),
)
BRANCH_COLUMNS: Final = (
    Column("id", kind="id"),
    Column("name", lambda row: branch_title(row), kind="text"),
    Column("pool", kind="text", rare=True, spare=2),
    Column("behaviour", kind="text", rare=True, spare=3),
    Column("owner", kind="text", spare=1),
    Column("at it", lambda row: row["handling"] and since(row["handling_since"]), kind="number", rare=True, spare=2),
    Column("waiting", kind="number"),
    Column("retrying", kind="number", rare=True),
    Column("delayed", kind="number", rare=True),
    Column("outgoing", kind="number", rare=True),
    Column("version", kind="number", wide=True),
    Column("paused", kind="text", rare=True),
)


def ls(
    name: Annotated[str | None, typer.Option(metavar="TEXT", help="Only those with this in their name.")] = None,
    having: Annotated[
        Having | None, typer.Option(help="Only those with mail that waits, is delayed or dead, or with nothing to do.")
    ] = None,
    older_than: Annotated[
        str | None, typer.Option(metavar="AGE", help="Only those that were made so long ago, or before: 30d, 12h.")
    ] = None,
    newer_than: Annotated[
        str | None, typer.Option(metavar="AGE", help="Only those that were made since then: 30d, 12h, 90m.")
    ] = None,
    sort: Annotated[
        Literal["created", "name", "branches", "mails", "waiting", "dead"],
        typer.Option(help="By what: created has the newest last, numbers the largest first."),
    ] = "created",
    limit: Limit = None,
    watch: Watch = False,
    interval: Interval = 2.0,
    output: Output = None,
    url: Url = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """List the sessions, the newest last.

    A table for people has the newest hundred unless --limit says otherwise; the other forms have all.
    Example: lion-broker session ls --having dead --sort dead
    """
    form = form_of(output, as_json)
    most = limit or (_SHOWN if form in ("table", "wide") else None)
    fits = _filter(name, having, older_than, newer_than)
    with exchange_at(url, namespace) as exchange:
        watched(lambda: _listing(exchange, fits, sort, most), form, watch, interval)


def show(session: One, url: Url = None, namespace: Namespace = None, as_json: AsJson = False) -> None:
    """Show one session with its branches: who hosts each, and what waits for it."""
    with exchange_at(url, namespace) as exchange:
        found = session_id(exchange, session)
        row = next((_session_row(one) for one in records_of(exchange, [found])), None)
        if row is None:
            raise ItemNotFoundError(f"The session {found} was removed just now.")
        branches = branch_rows(exchange, found)
    if as_json:
        print_json({**row, "branches": branches})
        return
    for field, value in row.items():
        typer.echo(f"{field + ':':<13}{'-' if value in (None, '') else value}")
    typer.echo()
    told(Listing(branches, BRANCH_COLUMNS, "It has no branches."), "table")


def rm(
    sessions: Many = None,
    older_than: Annotated[
        str | None,
        typer.Option(metavar="AGE", help="Those in which nothing has happened for so long: 30d, 12h, 90m, 2w, 45s."),
    ] = None,
    with_mail: Annotated[
        bool, typer.Option("--with-mail", help="With --older-than: also those in which mail waits.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say which they are, and remove nothing.")] = False,
    url: Url = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Remove sessions with everything they own: branches, messages, mail, dead letters.

    Those that are named, or with --older-than those in which nothing has happened since, by the server's clock; of
    these a session stays while a process holds one of its branches, or mail waits in it. Removing cannot be undone:
    `session export` keeps a copy. Example: lion-broker session rm --older-than 30d --dry-run
    """
    from lion_broker.core.progress import progress

    from .age import idle_sessions, seconds_of

    if bool(sessions) == (older_than is not None):
        raise ConfigError("Name sessions, or choose them with --older-than; one of the two.")
    with exchange_at(url, namespace) as exchange:
        # All are found before the first is removed.
        if older_than is not None:
            found = idle_sessions(exchange, seconds_of(older_than), with_mail)
        else:
            found = list(dict.fromkeys(session_id(exchange, one) for one in sessions or ()))
        with progress("removing", len(found)) as step:
            for one in () if dry_run else found:
                _remove(exchange, one)
                step(1)
    if as_json:
        print_json({"would" if dry_run else "removed": found})
    elif dry_run:
        typer.echo("\n".join([*found, f"{len(found)} would be removed."]))
    else:
        typer.echo("\n".join(f"Removed {one}" for one in found) or "No session is that old.")


def _remove(exchange: Exchange, session: str) -> None:
    from lion_broker.mail.verbs import DeleteSession

    note(exchange, "remove session", f"session {session}")
    while exchange.call(DeleteSession(session)):
        pass


def branch_rows(exchange: Exchange, session: str) -> list[dict[str, Any]]:
    """Where the branches of a session stand, a row each; `default` is the session's own one."""
    default = [default_of(one) for one in records_of(exchange, [session])]
    return [{**branch_row(branch), "default": branch.id in default} for branch in _branches(exchange, session)]


def branch_title(row: Mapping[str, Any]) -> str:
    """What a person knows a branch by that is a row of `branch_rows`; empty for one without a name."""
    return row["name"] or (DEFAULT_BRANCH if row["default"] else "")


def _filter(name: str | None, having: Having | None, older_than: str | None, newer_than: str | None) -> Filter | None:
    """What a session must be to be listed; None when all are."""
    from .age import seconds_of

    old, new = (None if one is None else seconds_of(one) for one in (older_than, newer_than))
    if name is None and having is None and old is None and new is None:
        return None

    def fits(record: SessionRecord) -> bool:
        age = time.time() - float(record.fields.get("created_at", 0))
        return (
            (name is None or name.lower() in name_of(record).lower())
            and (having is None or _has(record, having))
            and (old is None or age >= old)
            and (new is None or age <= new)
        )

    return fits


def _has(record: SessionRecord, having: Having) -> bool:
    counts = record.counters
    if having == "nothing":
        return not any(counts[one] for one in ("inflight", "delayed", "dead"))
    return counts["inflight" if having == "waiting" else having] > 0


def _listing(exchange: Exchange, fits: Filter | None, sort: str, most: int | None) -> Listing:
    from lion_broker.mail.verbs import ListSessions

    ids = exchange.call(ListSessions())
    # In the order of creation nothing but the last page has to be read.
    chosen = ids[-most:] if most and fits is None and sort == "created" else ids
    rows = [_session_row(one) for one in records_of(exchange, chosen) if fits is None or fits(one)]
    total = len(ids) if chosen is not ids else len(rows)
    if sort == "name":
        rows.sort(key=lambda row: str(row["name"] or ""))
    elif sort != "created":
        field = {"mails": "posted", "waiting": "inflight"}.get(sort, sort)
        rows.sort(key=lambda row: -int(row[field]))
    if most:
        rows = rows[-most:] if sort == "created" else rows[:most]
    note = f"{total - len(rows):,} more: --limit N, or -o csv for all." if total > len(rows) else ""
    empty = "There are no sessions. `lion-broker demo research --keep` makes one." if not ids else "No session matches."
    return Listing(rows, _COLUMNS, empty, note)


def _branches(exchange: Exchange, session: str) -> Iterator[BranchRecord]:
    from lion_broker.mail.verbs import ReadBranches

    read = 0
    while page := exchange.call(ReadBranches(session, start=read)):
        yield from page
        read += len(page)


def _session_row(record: SessionRecord) -> dict[str, Any]:
    from pydantic_core import from_json

    from lion_broker.mail.verbs import IMPORTING

    fields = {name: from_json(text) for name, text in record.fields.items() if name != "delivery"}
    return {
        "id": record.id,
        "name": "(being imported)" if IMPORTING in fields else fields.get("name"),
        "created": moment(fields.get("created_at")),
        "delivery": record.fields["delivery"],
        "branches": record.branches,
        **record.counters,
    }


def branch_row(record: BranchRecord) -> dict[str, Any]:
    """Where a branch stands, as a row."""
    return {
        "id": record.id,
        "name": record.seed.name,
        "pool": record.seed.pool,
        "behaviour": record.seed.behaviour,
        "owner": record.owner if record.leased else "",
        "handling": record.at or None,
        "handling_since": moment(record.at_since / 1000) if record.at_since else None,
        "waiting": record.waiting + record.inbox,
        "retrying": record.deferred,
        "delayed": record.delayed,
        "outgoing": record.outbox,
        "version": record.version,
        "paused": record.paused,
    }
