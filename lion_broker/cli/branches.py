"""`branch ls`, `pause` and `resume`: where branches stand, and whether they take turns."""

from __future__ import annotations

from typing import Annotated

import typer

from .options import AsJson, Namespace, Url, exchange_at
from .printing import print_json, print_rows
from .sessions import branch_rows, session_id

__all__ = ["ls", "pause", "resume"]

Session = Annotated[str, typer.Argument(metavar="SESSION", help="The id of a session, or the beginning of one.")]
Branch = Annotated[str, typer.Argument(metavar="BRANCH", help="The id or the name of a branch.")]
Why = Annotated[str, typer.Option(metavar="TEXT", help="Why, for others to see.")]


def ls(session: Session, url: Url = None, namespace: Namespace = None, as_json: AsJson = False) -> None:
    """List the branches of a session: who hosts each, what waits for it, and whether it is paused."""
    with exchange_at(url, namespace) as exchange:
        rows = branch_rows(exchange, session_id(exchange, session))
    print_rows(rows, as_json, "The session has no branches.")


def pause(
    session: Session,
    branch: Branch,
    reason: Why = "paused by hand",
    url: Url = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Have a branch take no more turns: its mail waits. A turn that is going on ends first."""
    from lion_broker.session.session import Session as Sessions

    with exchange_at(url, namespace) as exchange:
        opened = Sessions.open(session_id(exchange, session), exchange=exchange)
        opened.pause(branch, reason)
        found = opened.locate(branch)
    _tell("Paused", found, as_json, reason)


def resume(
    session: Session, branch: Branch, url: Url = None, namespace: Namespace = None, as_json: AsJson = False
) -> None:
    """Let a branch take turns again; mail that has failed before is tried afresh, at once."""
    from lion_broker.session.session import Session as Sessions

    with exchange_at(url, namespace) as exchange:
        opened = Sessions.open(session_id(exchange, session), exchange=exchange)
        opened.resume(branch)
        found = opened.locate(branch)
    _tell("Resumed", found, as_json, "")


def _tell(what: str, branch: str, as_json: bool, paused: str) -> None:
    if as_json:
        print_json({"branch": branch, "paused": paused})
    else:
        typer.echo(f"{what} {branch}.")
