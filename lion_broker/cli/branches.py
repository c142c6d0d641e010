"""`branch ls`, `show`, `pause` and `resume`: where branches stand, what they hold, and whether they take turns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import completion
from .finding import One, session_id
from .listing import Interval, Listing, Output, Watch, form_of, watched
from .options import AsJson, Namespace, Url, exchange_at
from .printing import moment, print_json, print_rows
from .sessions import BRANCH_COLUMNS, branch_row, branch_rows

if TYPE_CHECKING:
    from lion_broker.session.remote import RemoteBranch

__all__ = ["ls", "pause", "resume", "show"]

_SHOWN = 100
"""Characters of a message that fit into a line."""

Branch = Annotated[
    str, typer.Argument(metavar="BRANCH", help="The id or the name of a branch.", autocompletion=completion.branches)
]
Why = Annotated[str, typer.Option(metavar="TEXT", help="Why, for others to see.")]


def ls(
    session: One,
    watch: Watch = False,
    interval: Interval = 2.0,
    output: Output = None,
    url: Url = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """List the branches of a session: who hosts each, what waits for it, and whether it is paused."""
    with exchange_at(url, namespace) as exchange:
        found = session_id(exchange, session)

        def look() -> Listing:
            return Listing(branch_rows(exchange, found), BRANCH_COLUMNS, "The session has no branches.")

        watched(look, form_of(output, as_json), watch, interval)


def show(
    session: One,
    branch: Branch,
    last: Annotated[int, typer.Option(min=0, metavar="N", help="How many of its newest messages are shown.")] = 10,
    url: Url = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Show one branch: where it stands, its tools and models, and the newest of its messages.

    Reads its history, and changes nothing. Example: lion-broker branch show desk reader --last 3
    """
    from lion_broker.session.session import Session as Sessions

    with exchange_at(url, namespace) as exchange:
        opened = Sessions.open(session_id(exchange, session), exchange=exchange)
        found = _shown(opened.get_branch(branch), last)
    messages = found.pop("messages")
    if as_json:
        print_json({**found, "messages": messages})
        return
    for name, value in found.items():
        text = ", ".join(value) if isinstance(value, list) else value
        typer.echo(f"{name + ':':<11}{'-' if text in (None, '') else text}")
    typer.echo()
    rows = [{**one, "text": " ".join(one["text"].split())[:_SHOWN]} for one in messages]
    print_rows(rows, False, "It has no messages." if last else "")


def _shown(branch: RemoteBranch, last: int) -> dict[str, Any]:
    record = branch.record
    messages = branch.messages
    newest = list(messages)[-last:] if last else []
    return {
        **branch_row(record),
        "cursor": record.cursor,
        "metadata": record.seed.fields.get("metadata"),
        "tools": sorted(branch.tools),
        "models": [f"{slot}={name}" for slot, name in sorted(branch.model_names.items())],
        "count": len(messages),
        "messages": [
            {"at": moment(one.created_at), "role": str(one.role), "from": str(one.sender), "text": one.text}
            for one in newest
        ],
    }


def pause(
    session: One,
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


def resume(session: One, branch: Branch, url: Url = None, namespace: Namespace = None, as_json: AsJson = False) -> None:
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
