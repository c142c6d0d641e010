"""`branch ls`, `show`, `pause` and `resume`: where branches stand, what they hold, and whether they take turns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from lion_broker.errors import ConfigError

from . import completion
from .finding import One, session_id
from .listing import Column, Interval, Listing, Output, Watch, form_of, told, watched
from .options import AsJson, Namespace, Url, exchange_at
from .printing import cell, counted, moment, print_json, short_id
from .sessions import BRANCH_COLUMNS, branch_row, branch_rows, branch_title

if TYPE_CHECKING:
    from lion_broker.mail.exchange import Exchange
    from lion_broker.session.remote import RemoteBranch
    from lion_broker.session.session import Session as Opened

__all__ = ["ls", "pause", "resume", "show"]

_MESSAGES: Final = (
    Column("at", spare=2),
    Column("role", spare=1),
    Column("from", kind="text"),
    Column("text", kind="text"),
)

Branch = Annotated[
    str, typer.Argument(metavar="BRANCH", help="The id or the name of a branch.", autocompletion=completion.branches)
]
MaybeBranch = Annotated[
    str | None,
    typer.Argument(
        metavar="[BRANCH]",
        help="The id or the name of a branch, or none with --all.",
        autocompletion=completion.branches,
    ),
]
Everything = Annotated[bool, typer.Option("--all", help="All branches of the session that live on workers.")]
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
        rows = branch_rows(exchange, opened.id) if found["messages"] else []
        names = {opened.id: "session", **{one["id"]: branch_title(one) for one in rows}}
    messages = found.pop("messages")
    if as_json:
        print_json({**found, "messages": messages})
        return
    for name, value in found.items():
        text = ", ".join(value) if isinstance(value, list) else value
        typer.echo(f"{name + ':':<11}{'-' if text in (None, '') else text}")
    typer.echo()
    shown = [{**one, "from": names.get(one["from"]) or short_id(one["from"])} for one in messages]
    told(Listing(shown, _MESSAGES, "It has no messages." if last else ""), "table")


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
    branch: MaybeBranch = None,
    everything: Everything = False,
    reason: Why = "paused by hand",
    url: Url = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Have a branch, or all of a session, take no more turns: their mail waits.

    A turn that is going on ends first. What is paused already stays so, with the reason that it has.
    Example: lion-broker branch pause desk --all --reason "costs too much"
    """
    with exchange_at(url, namespace) as exchange:
        opened, chosen = _chosen(exchange, session, branch, everything)
        rows = _switched(exchange, opened, {one: opened.pause(one, reason) for one in chosen})
    _tell("Paused", "paused already", rows, as_json, everything)


def resume(
    session: One,
    branch: MaybeBranch = None,
    everything: Everything = False,
    url: Url = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Let a branch, or all of a session, take turns again; mail that has failed before is tried afresh, at once."""
    with exchange_at(url, namespace) as exchange:
        opened, chosen = _chosen(exchange, session, branch, everything)
        rows = _switched(exchange, opened, {one: opened.resume(one) for one in chosen})
    _tell("Resumed", "not paused", rows, as_json, everything)


def _chosen(exchange: Exchange, session: str, branch: str | None, everything: bool) -> tuple[Opened, list[str]]:
    """The session, and the branch that is named, or all that live on workers; only these take turns by themselves."""
    from lion_broker.session.session import Session

    if (branch is not None) == everything:
        raise ConfigError("Name a branch, or say --all for all of the session that live on workers; one of the two.")
    opened = Session.open(session_id(exchange, session), exchange=exchange)
    if branch is not None:
        return opened, [opened.locate(branch)]
    return opened, [row["id"] for row in branch_rows(exchange, opened.id) if row["pool"]]


def _switched(exchange: Exchange, opened: Opened, changed: dict[str, bool]) -> list[dict[str, Any]]:
    """What has become of branches: why each is paused now, if it is, and whether that is new."""
    paused = {row["id"]: row["paused"] for row in branch_rows(exchange, opened.id)}
    return [{"branch": one, "paused": paused.get(one, ""), "changed": new} for one, new in changed.items()]


def _tell(what: str, before: str, rows: list[dict[str, Any]], as_json: bool, everything: bool) -> None:
    new = sum(row["changed"] for row in rows)
    old = len(rows) - new
    if as_json:
        print_json(rows if everything else rows[0])
    elif everything and not rows:
        typer.echo("The session has no branches on workers, and only these take turns.")
    elif everything:
        rest = f" {old} {'was' if old == 1 else 'were'} {before}." if old else ""
        typer.echo(f"{what} {counted(new, 'branch')}.{rest}")
    elif new:
        typer.echo(f"{what} {rows[0]['branch']}.")
    else:
        why = f" ({cell(rows[0]['paused'])})" if rows[0]["paused"] else ""
        typer.echo(f"{rows[0]['branch']} was {before}{why}.")
