"""`dead ls`, `show`, `retry`, `edit`, `drop`: mail that could not be delivered or applied, and what to do about it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lion_broker.errors import ConfigError, ItemNotFoundError, LionError

from . import completion
from .finding import session_id
from .options import AsJson, Namespace, Url, exchange_at
from .printing import print_json, print_rows

if TYPE_CHECKING:
    from lion_broker.mail.exchange import Exchange
    from lion_broker.mail.records import DeadLetter
    from lion_broker.session.letters import Retried
    from lion_broker.session.session import Session as Opened

__all__ = ["drop", "edit", "ls", "retry", "show"]

AnySession = Annotated[
    str | None,
    typer.Argument(
        metavar="SESSION",
        help="One session, by the beginning of its id. Default: all.",
        autocompletion=completion.sessions,
    ),
]
Session = Annotated[
    str,
    typer.Argument(
        metavar="SESSION", help="The id of a session, or the beginning of one.", autocompletion=completion.sessions
    ),
]
Letter = Annotated[str, typer.Argument(metavar="LETTER", help="The id of a dead letter, as `dead ls` shows it.")]
Letters = Annotated[
    list[str] | None, typer.Argument(metavar="[LETTER]...", help="Ids of dead letters, as `dead ls` shows them.")
]
Reason = Annotated[str | None, typer.Option(metavar="CODE", help="Only those with this reason, such as `failed`.")]
Branch = Annotated[str | None, typer.Option(metavar="BRANCH", help="Only those of a branch, by its id or name.")]
Everything = Annotated[bool, typer.Option("--all", help="All of the session's dead letters.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say which they are, and change nothing.")]


def ls(
    session: AnySession = None,
    reason: Reason = None,
    url: Url = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """List dead letters, the oldest of each session first, with the reason of each."""
    from lion_broker.mail.verbs import ListSessions

    with exchange_at(url, namespace) as exchange:
        chosen = exchange.call(ListSessions()) if session is None else (session_id(exchange, session),)
        rows = [
            _row(one, letter) for one in chosen for letter in _letters(exchange, one) if reason in (None, letter.reason)
        ]
    print_rows(rows, as_json, "There are no dead letters.")


def show(
    session: Session, letter: Letter, url: Url = None, namespace: Namespace = None, as_json: AsJson = False
) -> None:
    """Show a dead letter: what it says, why it is dead, who has tried it, and which mails led to it."""
    with exchange_at(url, namespace) as exchange:
        opened = _open(exchange, session_id(exchange, session))
        (found,) = _named(opened, [letter])
        lineage = [
            {"id": one.id, "from": one.sender, "to": one.recipient, "category": one.category}
            for one in opened.lineage(found)
        ]
    mail = found.mail
    row = {
        **_row(opened.id, found),
        "owners": list(found.owners),
        "mail": mail and mail.id,
        "from": mail and mail.header.sender,
        "says": mail and mail.item(),
    }
    if as_json:
        print_json({**row, "lineage": lineage})
        return
    for name, value in row.items():
        typer.echo(f"{name + ':':<11}{'-' if value in (None, '') else value}")
    typer.echo()
    print_rows(lineage, False, "No other mail led to it.")


def retry(
    session: Session,
    letters: Letters = None,
    reason: Reason = None,
    branch: Branch = None,
    everything: Everything = False,
    dry_run: DryRun = False,
    url: Url = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Send dead letters again, as they are: those named, those that match, or all. Exit code 1 when some stay."""
    with exchange_at(url, namespace) as exchange:
        opened = _open(exchange, session_id(exchange, session))
        chosen = _chosen(opened, letters, reason, branch, everything)
        done = None if dry_run else opened.retry_dead_letters(chosen)
    _tell("sent again", opened.id, chosen, done, as_json)


def drop(
    session: Session,
    letters: Letters = None,
    reason: Reason = None,
    branch: Branch = None,
    everything: Everything = False,
    dry_run: DryRun = False,
    url: Url = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Remove dead letters for good: those named, those that match, or all."""
    with exchange_at(url, namespace) as exchange:
        opened = _open(exchange, session_id(exchange, session))
        chosen = _chosen(opened, letters, reason, branch, everything)
        done = None if dry_run else opened.drop_dead_letters(chosen)
    _tell("dropped", opened.id, chosen, done, as_json)


def edit(
    session: Session,
    letter: Letter,
    item: Annotated[
        str, typer.Option(metavar="TEXT", help="What is to be sent instead: a text, JSON, @FILE, or - for stdin.")
    ],
    url: Url = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Send another item instead of what a dead letter holds, from the same sender to the same branch."""
    said = _read(item)
    with exchange_at(url, namespace) as exchange:
        opened = _open(exchange, session_id(exchange, session))
        (found,) = _named(opened, [letter])
        try:
            opened.edit_dead_letter(letter, _item(said, found))
        except LionError:
            raise
        except (TypeError, ValueError) as error:
            raise ConfigError(str(error)) from error
    if as_json:
        print_json({"session": opened.id, "sent": [letter], "left": {}})
    else:
        typer.echo(f"Sent {letter} again, edited.")


def _letters(exchange: Exchange, session: str) -> Iterator[DeadLetter]:
    from lion_broker.mail.records import START
    from lion_broker.mail.verbs import ReadDead

    after = START
    while page := exchange.call(ReadDead(session, after)):
        yield from page
        after = page[-1].id


def _open(exchange: Exchange, session: str) -> Opened:
    from lion_broker.session.session import Session as Sessions

    return Sessions.open(session, exchange=exchange)


def _named(opened: Opened, letters: list[str]) -> list[DeadLetter]:
    there = {letter.id: letter for letter in opened.dead_letters}
    if odd := [one for one in letters if one not in there]:
        raise ItemNotFoundError(f"The session has no dead letter {odd[0]}; `lion-broker dead ls` lists them.")
    return [there[one] for one in dict.fromkeys(letters)]


def _chosen(
    opened: Opened, letters: list[str] | None, reason: str | None, branch: str | None, everything: bool
) -> list[DeadLetter]:
    """The letters that are named, or those that match; raises ConfigError when neither is said."""
    if letters:
        if everything or reason or branch:
            raise ConfigError("Name dead letters, or say which match; not both.")
        return _named(opened, letters)
    if not (everything or reason or branch):
        raise ConfigError("Name dead letters, or choose them with --reason, --branch or --all.")
    home = None if branch is None else opened.locate(branch)
    return [one for one in opened.dead_letters if reason in (None, one.reason) and home in (None, one.branch)]


def _tell(what: str, session: str, chosen: list[DeadLetter], done: Retried | None, as_json: bool) -> None:
    left = {} if done is None else done.left
    went = [letter.id for letter in chosen if letter.id not in left]
    if as_json:
        print_json({"session": session, "would" if done is None else what.split()[0]: went, "left": left})
    elif done is None:
        print_rows([_row(session, letter) for letter in chosen], False, "No dead letter matches.")
        typer.echo(f"{len(chosen)} would be {what}.")
    else:
        typer.echo(f"{done.count} {what}.")
        for letter, why in left.items():
            typer.echo(f"{letter} stays: {why}.")
    if left:
        raise typer.Exit(1)


def _read(text: str) -> str:
    """What is given as an item, or in a file, or on stdin."""
    if text == "-":
        return sys.stdin.read()
    if not text.startswith("@"):
        return text
    try:
        return Path(text[1:]).read_text()
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


def _row(session: str, letter: DeadLetter) -> dict[str, Any]:
    mail = letter.mail
    return {
        "id": letter.id,
        "session": session,
        "branch": letter.branch,
        "category": mail.header.category if mail else None,
        "attempts": letter.attempts,
        "reason": letter.reason,
        "error": letter.error,
        "detail": letter.detail,
    }
