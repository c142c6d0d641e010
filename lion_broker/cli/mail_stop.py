"""`mail stop`: what a worker is at is stopped, and kept as a dead letter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lion_broker.errors import ConfigError

from .auditing import who
from .mail_withdraw import Mails, Where, branch_of, found_of, named, tell, would
from .options import AsJson, Namespace, Url, exchange_at
from .session_lookup import session_id

if TYPE_CHECKING:
    from lion_broker.mail.exchange import Exchange
    from lion_broker.session.withdrawing import TakenOut, WaitingMail

__all__ = ["stop"]


def stop(
    mails: Mails = None,
    session: Where = None,
    branch: Annotated[
        str | None, typer.Option(metavar="BRANCH", help="The mail that a branch is at, by its id or name.")
    ] = None,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why: it stands in the dead letter and the audit.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say which it is, and change nothing.")] = False,
    url: Url = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Stop mail that a worker is at, or all that a branch is at now: it becomes a dead letter and can be sent again.

    Nothing of its turn takes effect. Code that waits for nothing runs on to its end, without effect. A named mail that
    waits is withdrawn. Exit code 1 when some stay. Example: lion-broker mail stop --session desk --branch reader
    """
    if bool(mails) == (branch is not None):
        raise ConfigError("Name mails, as `lion-broker mail ls` shows them, or a branch with --branch; not both.")
    if branch is not None and session is None:
        raise ConfigError("Say in which session, with --session; @ is the newest one.")
    with exchange_at(url, namespace) as exchange:
        where = None if session is None else session_id(exchange, session)
        to = "" if branch is None else branch_of(exchange, str(where), branch)
        wanted: dict[str, list[str] | None] = {str(where): None} if to else dict(named(exchange, mails or [], where))
        if dry_run:
            found = {str(where): _at_work(exchange, str(where), to)} if to else found_of(exchange, wanted, "", "")
            would(exchange, found, as_json, alone=where is not None, stop=True)
            return
        done = {one: _stop(exchange, one, ids, to, reason) for one, ids in wanted.items()}
    tell(done, as_json, alone=where is not None, stop=True)


def _at_work(exchange: Exchange, session: str, branch: str) -> list[WaitingMail]:
    from lion_broker.mail.exchange import run
    from lion_broker.session.stopping import at_work_steps

    found: list[WaitingMail] = run(exchange, at_work_steps(session, branch))
    return found


def _stop(exchange: Exchange, session: str, ids: list[str] | None, branch: str, reason: str) -> TakenOut:
    from lion_broker.mail.exchange import run
    from lion_broker.session.stopping import stop_steps

    done: TakenOut = run(exchange, stop_steps(session, ids, branch, reason, by=who()))
    return done
