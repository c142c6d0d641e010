"""`branch ls`, `show`, `pause` and `resume`: where branches stand, what they hold, and whether they take turns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from lion_broker.core.numbers import counted
from lion_broker.errors import ConfigError, ItemNotFoundError

from . import completion
from .auditing import note, who
from .listing import Column, Interval, Listing, Output, Watch, form_of, told, watched
from .options import AsJson, Namespace, Url, exchange_at
from .printing import cell, moment, print_json, short_id
from .session_lookup import One, session_id
from .sessions import BRANCH_COLUMNS, branch_row, branch_rows, branch_title

if TYPE_CHECKING:
    from lion_broker.mail.exchange import Exchange
    from lion_broker.session.remote import RemoteBranch

__all__ = ["ls", "pause", "resume", "show"]

_NAMED: Final = 5
_WHICH: Final = (
    "Say which: SESSION BRANCH, or SESSION --all for all of the session that live on workers, or --pool POOL for all of"
    " a pool; one of the three."
)
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
        help="The id or the name of a branch, or none with --all or --pool.",
        autocompletion=completion.branches,
    ),
]
Everything = Annotated[bool, typer.Option("--all", help="All branches of the session that live on workers.")]
OfPool = Annotated[
    str | None,
    typer.Option(
        "--pool",
        metavar="POOL",
        help="All branches of a pool, of all sessions or of SESSION.",
        autocompletion=completion.pools,
    ),
]
MaybeSession = Annotated[
    str | None,
    typer.Argument(
        metavar="[SESSION]",
        help="A session: its id, a piece of it, its name, or @ for the newest. With --pool default: all.",
        autocompletion=completion.sessions,
    ),
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
    """Show one branch: where it stands, the mail that it is at, its tools and models, and the newest of its messages.

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
        typer.echo(f"{name + ':':<16}{'-' if text in (None, '') else text}")
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
    session: MaybeSession = None,
    branch: MaybeBranch = None,
    everything: Everything = False,
    pool: OfPool = None,
    reason: Why = "",
    url: Url = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Have a branch, all of a session, or all of a pool, take no more turns: their mail waits.

    A turn that is going on ends first. A pool stays paused until it is resumed: branches that are made for it later
    are paused, too. Where a session is named beside it, and with --all, those are meant that are there now. `status`
    shows what is paused. Example: lion-broker branch pause --pool readers --reason "the model is down"
    """
    with exchange_at(url, namespace) as exchange:
        if branch is not None:
            _switch_one(exchange, session, branch, everything, pool, reason or "paused by hand", as_json)
        else:
            _switch_many(exchange, session, everything, pool, reason or "paused by hand", as_json)


def resume(
    session: MaybeSession = None,
    branch: MaybeBranch = None,
    everything: Everything = False,
    pool: OfPool = None,
    url: Url = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Let a branch, all of a session, or all of a pool, take turns again; failed mail is tried afresh, at once.

    With --pool those that were paused with --pool, and what is made for it from now on; the others, which were paused
    for reasons of their own, are named.
    Example: lion-broker branch resume --pool readers
    """
    with exchange_at(url, namespace) as exchange:
        if branch is not None:
            _switch_one(exchange, session, branch, everything, pool, "", as_json)
        else:
            _switch_many(exchange, session, everything, pool, "", as_json)


def _switch_one(
    exchange: Exchange,
    session: str | None,
    branch: str,
    everything: bool,
    pool: str | None,
    reason: str,
    as_json: bool,
) -> None:
    """Pause a branch for a reason, or without one let it go on."""
    from lion_broker.session.session import Session

    if session is None or everything or pool is not None:
        raise ConfigError(_WHICH)
    opened = Session.open(session_id(exchange, session), exchange=exchange)
    one = opened.locate(branch)
    note(exchange, f"{'pause' if reason else 'resume'} branch", f"branch {one}", _in(opened.id, reason))
    changed = opened.pause(one, reason) if reason else opened.resume(one)
    # What is paused already keeps the reason that was given first.
    paused = opened.get_branch(one).record.paused if reason and not changed else reason
    if as_json:
        print_json({"branch": one, "paused": paused, "changed": changed})
    elif changed:
        typer.echo(f"{'Paused' if reason else 'Resumed'} {cell(branch)}.")
    else:
        typer.echo(
            f"{cell(branch)} was paused already ({cell(paused)})." if reason else f"{cell(branch)} was not paused."
        )


def _in(session: str, reason: str) -> str:
    return f"session {session}: {reason}" if reason else f"session {session}"


def _switch_many(
    exchange: Exchange, session: str | None, everything: bool, pool: str | None, reason: str, as_json: bool
) -> None:
    """Pause all of a session or a pool for a reason, or without one let them go on."""
    from lion_broker.insight.overview import pools_steps
    from lion_broker.mail.exchange import run
    from lion_broker.session.pausing import BranchSelection, any_steps, pause_steps, resume_steps

    if (pool is None) != everything or (everything and session is None) or pool == "":
        raise ConfigError(_WHICH)
    selection = BranchSelection("" if session is None else session_id(exchange, session), pool or "")
    known = not pool or any(one.pool == pool for one in run(exchange, pools_steps()))
    if not known and not run(exchange, any_steps(selection)):
        raise ItemNotFoundError(f"No branch lives in the pool {pool} there; `lion-broker scale` shows the pools.")
    done = run(exchange, pause_steps(selection, reason, who()) if reason else resume_steps(selection, who()))
    if as_json:
        both = (*done.done.items(), *done.left.items())
        print_json([{"session": at, "branch": one, "paused": paused} for (at, one), paused in both])
        return
    typer.echo(f"{'Paused' if reason else 'Resumed'} {counted(len(done.done), 'branch')}.")
    if reason and selection.lasting:
        typer.echo(
            f"Those that are made for the pool later are paused, too, until: lion-broker branch resume --pool {pool}"
        )
    if done.left:
        stay = "stays as it was" if len(done.left) == 1 else "stay as they were"
        typer.echo(f"{counted(len(done.left), 'branch')} {stay}, paused for another reason:")
    for (at, one), paused in list(done.left.items())[:_NAMED]:
        typer.echo(f"  lion-broker branch resume {at} {one}  # {cell(paused)}")
    if len(done.left) > _NAMED:
        typer.echo(f"  … and {len(done.left) - _NAMED} more: lion-broker branch ls SESSION")
