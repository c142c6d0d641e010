"""`mail withdraw`: mail that waits is taken out before a worker handles it, and kept as a dead letter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from lion_broker.errors import ConfigError

from . import completion
from .auditing import who
from .listing import Column, Listing, told
from .options import AsJson, Namespace, Url, exchange_at
from .printing import cell, moment, print_json
from .session_lookup import bare_defaults, session_id
from .session_trace import end_columns

if TYPE_CHECKING:
    from lion_broker.mail.exchange import Exchange
    from lion_broker.session.withdrawing import TakenOut, WaitingMail

__all__ = ["Mails", "Where", "branch_of", "found_of", "named", "tell", "withdraw", "would"]

_BEFORE_ENDS: Final = (Column("mail", kind="id"), Column("session", kind="id", wide=True))
_AFTER_ENDS: Final = (
    Column("category", spare=2),
    Column("waits at", "where"),
    Column("due", rare=True),
    Column("in hand", lambda row: "yes" if row["held"] else "", rare=True),
    Column("text", kind="text", spare=1),
)


Mails = Annotated[
    list[str] | None,
    typer.Argument(metavar="[MAIL]...", help="Mails: ids, or beginnings or ends of them, as `mail ls` shows them."),
]
Where = Annotated[
    str | None,
    typer.Option(
        metavar="SESSION",
        help="Where to look. Default for mails that are named: in all sessions, likely ones first.",
        autocompletion=completion.sessions,
    ),
]


def withdraw(
    mails: Mails = None,
    session: Where = None,
    branch: Annotated[
        str | None, typer.Option(metavar="BRANCH", help="All that waits for a branch, by its id or name.")
    ] = None,
    category: Annotated[str | None, typer.Option(metavar="NAME", help="All that waits of a category.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that waits in the session.")] = False,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why: it stands in the dead letters and the audit.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say which they are, and change nothing.")] = False,
    url: Url = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Withdraw mail that waits, before a worker handles it: it becomes a dead letter and can be sent again.

    Mail that is to be tried again or delivered later, too. What a worker has in hand stays: see mail stop. Exit code 1
    when some stay. Example: lion-broker mail withdraw --session desk --branch reader --dry-run
    """
    chosen = mails or []
    filters = everything or branch is not None or category is not None
    if chosen and filters:
        raise ConfigError("Name mails, or say which with --all, --branch or --category; not both.")
    if not chosen and not filters:
        raise ConfigError(
            "Name mails, as `lion-broker mail ls` shows them, or choose with --branch, --category or --all."
        )
    if filters and session is None:
        raise ConfigError("Say in which session, with --session; @ is the newest one.")
    with exchange_at(url, namespace) as exchange:
        where = None if session is None else session_id(exchange, session)
        if chosen:
            wanted: dict[str, list[str] | None] = dict(named(exchange, chosen, where))
            to = ""
        else:
            wanted = {str(where): None}
            to = branch_of(exchange, str(where), branch) if branch is not None else ""
        if dry_run:
            found = found_of(exchange, wanted, to, category or "")
            would(exchange, found, as_json, alone=where is not None)
            return
        done = {one: _take_out(exchange, one, ids, to, category or "", reason) for one, ids in wanted.items()}
    tell(done, as_json, alone=where is not None)


def named(exchange: Exchange, texts: list[str], session: str | None) -> dict[str, list[str]]:
    """The mails that are meant, by session; raises ItemNotFoundError where none is, or several are."""
    from lion_broker.insight.id_parts import matching_ids
    from lion_broker.insight.mail_search import find_mail_steps
    from lion_broker.mail.exchange import run

    found: dict[str, list[str]] = {}
    waiting: dict[str, list[str]] = {} if session is None else {session: _waiting(exchange, session)}
    for text in dict.fromkeys(texts):
        meant = [
            (one, mail) for one, ids in waiting.items() for mail in (matching_ids(ids, text) if text.strip() else [])
        ]
        if len(meant) != 1:
            # Logs tell what it is, if it does not wait; and that several are meant.
            sought = run(exchange, find_mail_steps(text, session or ""))
            meant = [(sought.session, sought.trace.passage.mail)]
            waiting.setdefault(sought.session, _waiting(exchange, sought.session))
        found.setdefault(meant[0][0], []).append(meant[0][1])
    return found


def _waiting(exchange: Exchange, session: str) -> list[str]:
    return [one.mail for one in _standing(exchange, session)]


def _standing(exchange: Exchange, session: str, branch: str = "", category: str = "") -> list[WaitingMail]:
    from lion_broker.mail.exchange import run
    from lion_broker.session.withdrawing import waiting_steps

    found: list[WaitingMail] = run(exchange, waiting_steps(session, branch, category))
    return found


def branch_of(exchange: Exchange, session: str, branch: str) -> str:
    """The id of a branch, by its id or name."""
    from lion_broker.session.session import Session as Sessions

    return Sessions.open(session, exchange=exchange).locate(branch)


def _take_out(
    exchange: Exchange, session: str, ids: list[str] | None, branch: str, category: str, reason: str
) -> TakenOut:
    from lion_broker.mail.exchange import run
    from lion_broker.session.withdrawing import take_out_steps

    done: TakenOut = run(exchange, take_out_steps(session, ids, branch, category, reason, by=who()))
    return done


def found_of(
    exchange: Exchange, wanted: dict[str, list[str] | None], branch: str, category: str
) -> dict[str, list[WaitingMail]]:
    """What waits of what is wanted, by session."""
    found: dict[str, list[WaitingMail]] = {}
    for session, ids in wanted.items():
        found[session] = [
            one for one in _standing(exchange, session, branch, category) if ids is None or one.mail in ids
        ]
    return found


def would(
    exchange: Exchange, found: dict[str, list[WaitingMail]], as_json: bool, *, alone: bool, stop: bool = False
) -> None:
    """Tell which mails would be withdrawn, or stopped."""
    rows = {session: [_row(session, one) for one in each] for session, each in found.items()}
    if as_json:
        answers = [{"session": session, "would": each} for session, each in rows.items()]
        print_json(answers[0] if alone else answers)
        return
    listed = [row for each in rows.values() for row in each]
    columns = (*_BEFORE_ENDS, *end_columns(bare_defaults(exchange, rows, {})), *_AFTER_ENDS)
    told(Listing(listed, columns, "No such mail waits." if not stop else "Nothing is at work there."), "table")
    held = sum(row["held"] for row in listed)
    if stop:
        waits = f", {len(listed) - held} that wait withdrawn" if held < len(listed) else ""
        typer.echo(f"{held} would be stopped{waits}.")
        return
    typer.echo(f"{len(listed) - held} would be withdrawn{f', {held} are in hand and would stay' if held else ''}.")


def _row(session: str, one: WaitingMail) -> dict[str, Any]:
    return {
        "mail": one.mail,
        "session": session,
        "from": one.header.sender,
        "to": one.header.recipient,
        "category": one.header.category,
        "where": str(one.where),
        "due": None if one.due is None else moment(one.due),
        "held": one.held,
        "text": one.text,
    }


def tell(done: dict[str, TakenOut], as_json: bool, *, alone: bool, stop: bool = False) -> None:
    """Tell what was withdrawn or stopped, and what stays and why; exit code 1 when something does."""
    word = "stopped" if stop else "withdrawn"
    if as_json:
        answers = [{"session": one, word: each.letters, "left": each.left} for one, each in done.items()]
        print_json(answers[0] if alone else answers)
    else:
        typer.echo(f"{sum(each.count for each in done.values())} {word}.")
        for session, each in done.items():
            if each.count:
                # What waited when it was to be stopped was withdrawn.
                chosen = "" if stop else " --reason withdrawn"
                typer.echo(f"To look at them, and send them again: lion-broker dead ls {session}{chosen}")
            for mail, why in each.left.items():
                typer.echo(f"{cell(mail)} stays: {why}")
    if any(each.left for each in done.values()):
        raise typer.Exit(1)
