"""`dead ls`, `show`, `retry`, `edit`, `drop`: mail that could not be delivered or applied, and what to do about it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from lion_broker.errors import ConfigError, ItemNotFoundError, LionError

from . import completion
from .auditing import listed, note
from .dead_groups import group_listing
from .dead_selection import (
    LetterFilter,
    SessionLetters,
    check_reason,
    is_letter,
    letter_row,
    names_of,
    one_letter,
    shelves,
)
from .listing import Column, Interval, Limit, Listing, Output, Watch, form_of, told, watched
from .mail_send import said_in
from .options import AsJson, Namespace, Url, exchange_at
from .printing import ago, cell, moment, paint, print_json, since
from .session_lookup import Maybe, called, session_id

if TYPE_CHECKING:
    from lion_broker.mail.exchange import Exchange
    from lion_broker.mail.records import DeadLetter
    from lion_broker.session.dead_letters import Retried
    from lion_broker.session.session import Session as Opened

__all__ = ["drop", "edit", "ls", "retry", "show"]

_COLUMNS: Final = (
    Column("id"),
    Column("session", kind="id", spare=2),
    Column("name", "session_name", kind="text", wide=True),
    Column("branch", lambda row: row["branch_name"] or row["branch"], kind="text"),
    Column("mail", kind="id", wide=True),
    Column("age", lambda row: ago(max(0.1, time.time() - row["at"])), kind="number", spare=1),
    Column("category", spare=4),
    Column("tries", "attempts", kind="number", spare=3),
    Column("reason"),
    Column("error", kind="text", wide=True),
    Column("detail", lambda row: row["detail"] or row["error"], kind="text"),
)

_LINEAGE: Final = (
    Column("id", kind="id"),
    Column("from", kind="id"),
    Column("to", kind="id"),
    Column("category", spare=1),
)
_LISTED: Final = 100
"""A dry run names so many letters to people; programs get all."""
_PIECE: Final = 1000

OneOf = Annotated[
    str | None,
    typer.Argument(
        metavar="[SESSION]",
        help="The session of the letter. It may be left out where no other session has a letter of that id.",
        autocompletion=completion.sessions,
    ),
]
Letter = Annotated[
    str | None,
    typer.Argument(metavar="LETTER", help="A dead letter, by its id in `dead ls`, or by the id of its mail."),
]
Letters = Annotated[
    list[str] | None,
    typer.Argument(metavar="[LETTER]...", help="Dead letters, by their ids in `dead ls` or those of their mails."),
]
Reason = Annotated[
    str | None,
    typer.Option(
        metavar="CODE",
        help="Only those with this reason, such as `failed`.",
        autocompletion=completion.reasons,
    ),
]
Error = Annotated[
    str | None, typer.Option(metavar="TEXT", help="Only those with this in their error: a class, or some of its words.")
]
Branch = Annotated[str | None, typer.Option(metavar="BRANCH", help="Only those of a branch, by its id or name.")]
Group = Annotated[
    str | None, typer.Option(metavar="ID", help="Only those of a group, by its name in `dead ls --group`.")
]
Everything = Annotated[
    bool, typer.Option("--all", help="All dead letters: of the session, or without one of all sessions.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say which they are, and change nothing.")]


def ls(
    session: Maybe = None,
    reason: Reason = None,
    error: Error = None,
    branch: Branch = None,
    group: Annotated[
        bool, typer.Option("--group", help="Groups by reason, behaviour and error, the largest first.")
    ] = False,
    limit: Limit = None,
    watch: Watch = False,
    interval: Interval = 2.0,
    output: Output = None,
    url: Url = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """List dead letters with their reasons, the oldest of each session first.

    With --group, what they died of, numbers and ids left out: how many, since when, in how many sessions; `dead retry`
    and `drop --group` deal with one. Example: lion-broker dead ls --error TimeoutError
    """
    wanted = LetterFilter(reason, error, branch)

    def look() -> Listing:
        if group:
            return group_listing(exchange, session, wanted, limit)
        found = shelves(exchange, session, (), wanted)
        rows = [row for shelf in found for row in shelf.rows()]
        most = limit or len(rows)
        empty = "There are no dead letters." if wanted.is_everything else "No dead letter matches."
        return Listing(
            rows[:most], _COLUMNS, empty, f"{len(rows) - most:,} more: --limit N." if len(rows) > most else ""
        )

    with exchange_at(url, namespace) as exchange:
        check_reason(exchange, session, reason)
        watched(look, form_of(output, as_json), watch, interval)


def show(
    session: OneOf = None, letter: Letter = None, url: Url = None, namespace: Namespace = None, as_json: AsJson = False
) -> None:
    """Show a dead letter: what it says, why it is dead, who tried it.

    And which mails led to it. Example: lion-broker dead show 1795735012157-0
    """
    where, which = _one(session, letter)
    with exchange_at(url, namespace) as exchange:
        shelf, found = one_letter(exchange, where, which)
        lineage = [
            {"id": one.id, "from": one.sender, "to": one.recipient, "category": one.category}
            for one in _open(exchange, shelf.session).lineage(found)
        ]
        mail = found.mail
        sender = mail.header.sender if mail else ""
        names = called(exchange, shelf.session, names_of(exchange, shelf.session, [sender]))
    row = {
        **letter_row(shelf, found),
        "owners": list(found.tried_by),
        "from": sender or None,
        "from_name": names.get(sender, ""),
        "sent": mail and mail.header.created,
        "says": mail and mail.item(),
    }
    if as_json:
        print_json({**row, "lineage": lineage})
        return
    _show(row, found)
    told(Listing(lineage, _LINEAGE, "No other mail led to it."), "table")
    typer.echo(
        f"\nTo send it again: lion-broker dead retry {shelf.session} {found.id}"
        f"\nIn other words:   lion-broker dead edit {shelf.session} {found.id} --item TEXT"
        f"\nTo remove it:     lion-broker dead drop {shelf.session} {found.id}"
    )


def retry(
    session: Maybe = None,
    letters: Letters = None,
    reason: Reason = None,
    error: Error = None,
    branch: Branch = None,
    group: Group = None,
    everything: Everything = False,
    dry_run: DryRun = False,
    url: Url = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Send dead letters again, as they are: those named, or that match.

    Without a SESSION, those of all sessions. Exit code 1 when some stay.
    Example: lion-broker dead retry --error TimeoutError --dry-run
    """
    with exchange_at(url, namespace) as exchange:
        found = _chosen(exchange, session, letters, LetterFilter(reason, error, branch, group), everything)
        done = [None if dry_run else _retry(exchange, one) for one in found]
    _tell("sent again", found, done, as_json, alone=session is not None and not is_letter(session))


def drop(
    session: Maybe = None,
    letters: Letters = None,
    reason: Reason = None,
    error: Error = None,
    branch: Branch = None,
    group: Group = None,
    everything: Everything = False,
    dry_run: DryRun = False,
    url: Url = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Remove dead letters for good: those named, or that match.

    Without a SESSION, those of all sessions. Example: lion-broker dead drop desk --reason poison --dry-run
    """
    with exchange_at(url, namespace) as exchange:
        found = _chosen(exchange, session, letters, LetterFilter(reason, error, branch, group), everything)
        done = [None if dry_run else _drop(exchange, one) for one in found]
    _tell("dropped", found, done, as_json, alone=session is not None and not is_letter(session))


def edit(
    session: OneOf = None,
    letter: Letter = None,
    item: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="What is to be sent instead: a text, JSON, @FILE, or - for stdin."),
    ] = None,
    url: Url = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Send other words instead of what a dead letter says.

    From the same sender to the same branch. Example: lion-broker dead edit 1795735012157-0 --item "Try the other file."
    """
    where, which = _one(session, letter)
    if item is None:
        raise ConfigError("Say what is to be sent instead: --item TEXT, JSON, @FILE, or - for stdin.")
    said = _read(item)
    with exchange_at(url, namespace) as exchange:
        shelf, found = one_letter(exchange, where, which)
        note(exchange, "edit dead letter", f"session {shelf.session}", found.id)
        try:
            _open(exchange, shelf.session).edit_dead_letter(found.id, _item(said, found))
        except LionError:
            raise
        except (TypeError, ValueError) as error:
            raise ConfigError(str(error)) from error
    if as_json:
        print_json({"session": shelf.session, "sent": [found.id], "left": {}})
    else:
        typer.echo(f"Sent {found.id} again, edited.")


def _one(session: str | None, letter: str | None) -> tuple[str | None, str]:
    """The session, if one is named, and the letter, of one word or two."""
    if session is None:
        raise ConfigError("Name a dead letter, as `lion-broker dead ls` shows it.")
    return (None, session) if letter is None else (session, letter)


def _open(exchange: Exchange, session: str) -> Opened:
    from lion_broker.session.session import Session as Sessions

    return Sessions.open(session, exchange=exchange)


def _chosen(
    exchange: Exchange, session: str | None, letters: list[str] | None, wanted: LetterFilter, everything: bool
) -> list[SessionLetters]:
    """The letters that are named, or those that match; raises ConfigError when neither is said."""
    if session is not None and is_letter(session):
        session, letters = None, [str(session), *(letters or ())]
    if letters and (everything or not wanted.is_everything):
        raise ConfigError("Name dead letters, or say which match; not both.")
    if not letters and wanted.is_everything and not everything:
        # A single word is a session; where there is none of that name, that is what is wrong.
        if session is not None:
            session_id(exchange, session)
        raise ConfigError("Name dead letters, or choose them with --reason, --error, --branch, --group or --all.")
    check_reason(exchange, session, wanted.reason)
    found = shelves(exchange, session, letters or (), wanted)
    if wanted.group is not None and not any(one.letters for one in found):
        raise ItemNotFoundError(
            f"There is no group {wanted.group:.40} among the dead letters; `lion-broker dead ls --group` lists them."
        )
    if wanted.branch is not None and session is not None:
        # A name that no branch has is a slip, and not a branch without letters.
        _open(exchange, found[0].session).locate(wanted.branch)
    return found


def _retry(exchange: Exchange, shelf: SessionLetters) -> Retried:
    _note(exchange, "retry", shelf)
    return _deal(_open(exchange, shelf.session).retry_dead_letters, shelf)


def _drop(exchange: Exchange, shelf: SessionLetters) -> Retried:
    _note(exchange, "drop", shelf)
    return _deal(_open(exchange, shelf.session).drop_dead_letters, shelf)


def _note(exchange: Exchange, what: str, shelf: SessionLetters) -> None:
    if ids := [letter.id for letter in shelf.letters]:
        note(exchange, what + " dead letters", f"session {shelf.session}", listed(ids))


def _deal(act: Callable[[list[DeadLetter]], Retried], shelf: SessionLetters) -> Retried:
    """Do something to the letters of a shelf, a thousand at a time; who watches sees how far it is."""
    from lion_broker.core.progress import progress

    done, left = 0, dict[str, str]()
    many = len(shelf.letters)
    with progress(shelf.session, many) as step:
        for first in range(0, many, _PIECE):
            one = act(shelf.letters[first : first + _PIECE])
            done, left = done + one.count, {**left, **one.left}
            step(min(_PIECE, many - first))
    from lion_broker.session.dead_letters import Retried as Dealt

    return Dealt(done, left)


def _show(row: dict[str, Any], letter: DeadLetter) -> None:
    from lion_broker.insight.dead_reasons import MEANINGS

    says = row["says"]
    said = said_in(says["item"] if isinstance(says, dict) and "item" in says else says)
    for name in ("id", "session", "session_name", "branch", "branch_name", "mail", "category", "from", "from_name"):
        typer.echo(f"{name.replace('_', ' ') + ':':<14}{cell(row[name])}")
    if row["sent"]:
        typer.echo(f"{'sent:':<14}{moment(row['sent'])} ({since(moment(row['sent']))} ago)")
    typer.echo(f"{'died:':<14}{moment(row['at'])} ({ago(max(0.1, time.time() - row['at']))} ago)")
    typer.echo(f"{'attempts:':<14}{letter.attempts}, by {', '.join(letter.tried_by) or 'nobody that is known'}")
    meaning = MEANINGS.get(letter.reason, "")
    typer.echo(f"{'reason:':<14}{paint('dead', letter.reason)}{f': {meaning}' if meaning else ''}")
    typer.echo(f"{'error:':<14}{cell(letter.detail or letter.error)}")
    typer.echo(f"{'says:':<14}{cell(said)}\n")


def _tell(what: str, found: list[SessionLetters], done: list[Retried | None], as_json: bool, *, alone: bool) -> None:
    left = [{} if one is None else one.left for one in done]
    if as_json:
        word = "would" if None in done else what.split()[0]
        answers = [
            {
                "session": shelf.session,
                word: [letter.id for letter in shelf.letters if letter.id not in stays],
                "left": stays,
            }
            for shelf, stays in zip(found, left, strict=True)
        ]
        print_json(answers[0] if alone and len(answers) == 1 else answers)
    elif None in done or not done:
        rows = [row for shelf in found for row in shelf.rows()]
        more = f"{len(rows) - _LISTED:,} more of the like." if len(rows) > _LISTED else ""
        told(Listing(rows[:_LISTED], _COLUMNS, "No dead letter matches.", more), "table")
        if done:
            typer.echo(f"{len(rows)} would be {what}.")
    else:
        typer.echo(f"{sum(one.count for one in done if one is not None)} {what}.")
        for letter, why in [pair for stays in left for pair in stays.items()]:
            typer.echo(f"{letter} stays: {why}.")
    if any(left):
        raise typer.Exit(1)


def _read(text: str) -> str:
    """What is given as an item, or in a file, or on stdin."""
    if text == "-":
        return sys.stdin.read()
    if not text.startswith("@"):
        return text
    try:
        return Path(text[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{text[1:]} cannot be read: {error}.") from error


def _item(text: str, letter: DeadLetter) -> Any:
    """What a text stands for: JSON where it is JSON, else itself; a message says a text, whatever it looks like."""
    from pydantic_core import from_json

    try:
        item = from_json(text)
    except ValueError:
        return text
    is_message = letter.mail is not None and letter.mail.header.category == "message"
    return text if is_message and not isinstance(item, str) else item
