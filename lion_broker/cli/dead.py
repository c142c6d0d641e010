"""`dead ls`: mail that could not be delivered or applied, and why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import AsJson, Namespace, Url, exchange_at
from .printing import print_rows
from .sessions import session_id

if TYPE_CHECKING:
    from lion_broker.mail.exchange import Exchange
    from lion_broker.mail.records import DeadLetter

__all__ = ["ls"]

Session = Annotated[
    str | None, typer.Argument(metavar="SESSION", help="One session, by the beginning of its id. Default: all.")
]


def ls(session: Session = None, url: Url = None, namespace: Namespace = None, as_json: AsJson = False) -> None:
    """List dead letters, the oldest of each session first, with the reason of each."""
    from lion_broker.mail.verbs import ListSessions

    with exchange_at(url, namespace) as exchange:
        chosen = exchange.call(ListSessions()) if session is None else (session_id(exchange, session),)
        rows = [_row(one, letter) for one in chosen for letter in _letters(exchange, one)]
    print_rows(rows, as_json, "There are no dead letters.")


def _letters(exchange: Exchange, session: str) -> Iterator[DeadLetter]:
    from lion_broker.mail.records import START
    from lion_broker.mail.verbs import ReadDead

    after = START
    while page := exchange.call(ReadDead(session, after)):
        yield from page
        after = page[-1].id


def _row(session: str, letter: DeadLetter) -> dict[str, Any]:
    mail = letter.mail
    return {
        "id": letter.id,
        "session": session,
        "branch": letter.branch,
        "category": mail.header.category if mail else None,
        "attempts": letter.attempts,
        "reason": letter.reason,
        "detail": letter.detail,
    }
