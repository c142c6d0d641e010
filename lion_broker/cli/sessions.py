"""`session ls`, `show` and `rm`: what an exchange holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lion_broker.errors import ConfigError, ItemNotFoundError

from . import completion
from .options import AsJson, Namespace, Url, exchange_at
from .printing import moment, print_json, print_rows

if TYPE_CHECKING:
    from lion_broker.mail.exchange import Exchange
    from lion_broker.mail.records import BranchRecord, SessionRecord

__all__ = ["One", "branch_row", "branch_rows", "ls", "rm", "session_id", "show"]

_PAGE = 200

One = Annotated[
    str,
    typer.Argument(
        metavar="SESSION", help="The id of a session, or the beginning of one.", autocompletion=completion.sessions
    ),
]
Many = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[SESSION]...", help="Ids of sessions, or beginnings of ids.", autocompletion=completion.sessions
    ),
]


def ls(url: Url = None, namespace: Namespace = None, as_json: AsJson = False) -> None:
    """List the sessions, oldest first."""
    from lion_broker.mail.verbs import ListSessions

    with exchange_at(url, namespace) as exchange:
        rows = [_session_row(record) for record in _records(exchange, exchange.call(ListSessions()))]
    print_rows(rows, as_json, "There are no sessions. `lion-broker demo research --keep` makes one.")


def show(session: One, url: Url = None, namespace: Namespace = None, as_json: AsJson = False) -> None:
    """Show one session with its branches: who hosts each, and what waits for it."""
    with exchange_at(url, namespace) as exchange:
        found = session_id(exchange, session)
        (record,) = _records(exchange, (found,))
        branches = branch_rows(exchange, found)
    row = _session_row(record)
    if as_json:
        print_json({**row, "branches": branches})
        return
    for name, value in row.items():
        typer.echo(f"{name + ':':<13}{'-' if value in (None, '') else value}")
    typer.echo()
    print_rows(branches, False, "It has no branches.")


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
    from .age import idle_sessions, seconds_of

    if bool(sessions) == (older_than is not None):
        raise ConfigError("Name sessions, or choose them with --older-than; one of the two.")
    with exchange_at(url, namespace) as exchange:
        # All are found before the first is removed.
        if older_than is not None:
            found = idle_sessions(exchange, seconds_of(older_than), with_mail)
        else:
            found = list(dict.fromkeys(session_id(exchange, one) for one in sessions or ()))
        for one in () if dry_run else found:
            _remove(exchange, one)
    if as_json:
        print_json({"would" if dry_run else "removed": found})
    elif dry_run:
        typer.echo("\n".join([*found, f"{len(found)} would be removed."]))
    else:
        typer.echo("\n".join(f"Removed {one}" for one in found) or "No session is that old.")


def _remove(exchange: Exchange, session: str) -> None:
    from lion_broker.mail.verbs import DeleteSession

    while exchange.call(DeleteSession(session)):
        pass


def branch_rows(exchange: Exchange, session: str) -> list[dict[str, Any]]:
    """Where the branches of a session stand, a row each."""
    return [branch_row(branch) for branch in _branches(exchange, session)]


def session_id(exchange: Exchange, text: str) -> str:
    """Return the id that a text begins; raises ItemNotFoundError when none or several do, ConfigError for none."""
    from lion_broker.mail.verbs import ListSessions

    if not text.strip():
        raise ConfigError("An empty text names no session; give an id, or the beginning of one.")
    found = [one for one in exchange.call(ListSessions()) if one.startswith(text.lower())]
    if text.lower() in found:
        return text.lower()
    if not found:
        raise ItemNotFoundError(f"There is no session {text} at {exchange.url}; `lion-broker session ls` lists them.")
    if len(found) > 1:
        raise ItemNotFoundError(f"{len(found)} sessions begin with {text}; give more of the id.")
    return found[0]


def _records(exchange: Exchange, ids: tuple[str, ...]) -> Iterator[SessionRecord]:
    from lion_broker.mail.verbs import ReadSession

    for first in range(0, len(ids), _PAGE):
        answers = exchange.call_all([ReadSession(one) for one in ids[first : first + _PAGE]])
        # One that was removed meanwhile is left out.
        yield from (record for record in answers if record is not None)


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
        "waiting": record.waiting + record.inbox,
        "retrying": record.deferred,
        "delayed": record.delayed,
        "outgoing": record.outbox,
        "version": record.version,
        "paused": record.paused,
    }
