"""`mail ls` and `mail show`: which mail there is and where it stands, and what happened to one."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from lion_broker.core.numbers import counted
from lion_broker.errors import ConfigError
from lion_broker.mail.naming import DEFAULT_BRANCH

from . import completion
from .age import seconds_of
from .listing import Interval, Limit, Listing, Output, Watch, form_of, watched
from .options import AsJson, Namespace, Url, exchange_at
from .printing import branch_cell, cell, moment, paint, print_json, since, took
from .session_lookup import Maybe, bare_defaults, called, session_id
from .session_trace import mail_columns, mail_row, show_trace

if TYPE_CHECKING:
    from lion_broker.insight.mail_search import Found, MailList
    from lion_broker.insight.views import Passage
    from lion_broker.mail.exchange import Exchange

__all__ = ["ls", "show"]

_SHOWN: Final = 20
_MOST: Final = 20_000
_SESSIONS: Final = 10_000


class State(StrEnum):
    """Where mail can stand, as `Passage` has it, and `open` for all that is neither applied nor gone."""

    WAITING = "waiting"
    WORKING = "working"
    RETRYING = "retrying"
    DELAYED = "delayed"
    DEAD = "dead"
    APPLIED = "applied"
    GONE = "gone"
    OPEN = "open"


_OPEN: Final = (State.WAITING, State.WORKING, State.RETRYING, State.DELAYED, State.DEAD)

States = Annotated[
    list[State] | None,
    typer.Option(
        metavar="STATE",
        help=f"Only those that are {', '.join(State)}; may be repeated. open: all that are neither applied nor gone.",
    ),
]


def ls(
    session: Maybe = None,
    state: States = None,
    branch: Annotated[
        str | None, typer.Option(metavar="BRANCH", help="Only mail from or to this branch; an id or a name.")
    ] = None,
    sender: Annotated[
        str | None, typer.Option("--from", metavar="BRANCH", help="Only mail that this branch has sent.")
    ] = None,
    recipient: Annotated[
        str | None, typer.Option("--to", metavar="BRANCH", help="Only mail that was sent to this branch.")
    ] = None,
    worker: Annotated[
        str | None,
        typer.Option(
            metavar="WORKER",
            help="Only mail that a worker has, or had last: its name as in `status`, or the beginning of it.",
            autocompletion=completion.workers,
        ),
    ] = None,
    category: Annotated[str | None, typer.Option(metavar="NAME", help="Only mail of a category.")] = None,
    reason: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Only mail that failed or died with this in its reason: a class, a code."),
    ] = None,
    text: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Only mail with these words in the beginning of what it says.")
    ] = None,
    older_than: Annotated[str | None, typer.Option(metavar="AGE", help="Only mail sent so long ago: 5m, 2h.")] = None,
    newer_than: Annotated[str | None, typer.Option(metavar="AGE", help="Only mail sent since then: 5m, 2h.")] = None,
    sort: Annotated[
        Literal["sent", "tries", "took"],
        typer.Option(help="By what: sent has the newest last, numbers the largest first."),
    ] = "sent",
    limit: Limit = None,
    watch: Watch = False,
    interval: Interval = 2.0,
    output: Output = None,
    url: Url = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """List mail with where it stands: of a session, or of all.

    The newest 20 that fit, unless --limit says otherwise, and whether there are more; the newest last. Of all
    sessions, those in which something has happened last are looked at first, and stderr says how many were not.
    `--state open` is what is not done.
    Example: lion-broker mail ls --state open --older-than 5m
    """
    most = limit or _SHOWN
    if most > _MOST:
        raise ConfigError(
            f"At most {_MOST:,} mails can be listed at once, not {most:,}; choose them by --state or age."
        )
    states = tuple(dict.fromkeys(one for name in state or () for one in (_OPEN if name is State.OPEN else (name,))))
    ends = Ends(branch, sender, recipient)
    others = _filter(worker, category, reason, text, older_than, newer_than)
    is_narrow = any((states, branch, sender, recipient, worker, category, reason, text, older_than, newer_than))
    empty = "No mail matches." if is_narrow or session is None else "There is no mail."

    def look() -> Listing:
        chosen = None if session is None else session_id(exchange, session)
        return _listing(exchange, chosen, ends, others, states, sort, most, empty)

    with exchange_at(url, namespace) as exchange:
        watched(look, form_of(output, as_json), watch, interval)


def show(
    mail: Annotated[
        str,
        typer.Argument(metavar="MAIL", help="A mail: its id, or the beginning or end of it, as `mail ls` shows it."),
    ],
    session: Annotated[
        str | None, typer.Option(metavar="SESSION", help="Where to look. Default: in all sessions, likely ones first.")
    ] = None,
    depth: Annotated[int, typer.Option(min=0, max=100, help="How deep to follow the mails that it led to.")] = 10,
    url: Url = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Show what happened to a mail, wherever it is: who had it, each attempt, why it failed, and what to do.

    Example: lion-broker mail show 01a21a25-c290
    """
    from lion_broker.insight.mail_search import find_mail_steps
    from lion_broker.mail.exchange import run

    with exchange_at(url, namespace) as exchange:
        where = "" if session is None else session_id(exchange, session)
        found = run(exchange, find_mail_steps(mail, where, depth))
        advice = list(_advice(exchange, found))
        names = called(exchange, found.session, found.names)
    if as_json:
        print_json({"session": found.session, "names": found.names, **asdict(found.trace), "advice": advice})
        return
    for name, value in _told(found, names):
        typer.echo(f"{name + ':':<11}{value}")
    typer.echo()
    show_trace(found.trace, names)
    for line in advice:
        typer.echo(f"\n{line}")


@dataclass(frozen=True, slots=True)
class Ends:
    """Whose mail is wanted: from or to a branch, from one, to one; each by its id, its name, or as `(default)`."""

    either: str | None
    sender: str | None
    recipient: str | None

    def is_default_asked(self) -> bool:
        """Whether a branch is meant that stands for its session and has no name."""
        return DEFAULT_BRANCH in (self.either, self.sender, self.recipient)

    def fit(self, one: Passage, names: Mapping[str, str], defaults: Collection[str]) -> bool:
        """Whether a mail has such ends."""

        def is_meant(wanted: str | None, end: str) -> bool:
            return wanted in (None, end, names.get(end)) or (wanted == DEFAULT_BRANCH and end in defaults)

        return (
            (is_meant(self.either, one.sender) or is_meant(self.either, one.recipient))
            and is_meant(self.sender, one.sender)
            and is_meant(self.recipient, one.recipient)
        )


def _filter(
    worker: str | None,
    category: str | None,
    reason: str | None,
    text: str | None,
    older_than: str | None,
    newer_than: str | None,
) -> Callable[[Passage], bool]:
    old, new = (None if one is None else seconds_of(one) for one in (older_than, newer_than))

    def fits(one: Passage) -> bool:
        age = time.time() - one.sent
        return (
            (worker is None or one.owner.startswith(worker))
            and category in (None, one.category)
            and (reason is None or reason.lower() in one.reason.lower())
            and (text is None or text.lower() in one.text.lower())
            and (old is None or age >= old)
            and (new is None or age <= new)
        )

    return fits


def _listing(
    exchange: Exchange,
    session: str | None,
    ends: Ends,
    others: Callable[[Passage], bool],
    states: tuple[str, ...],
    sort: str,
    most: int,
    empty: str,
) -> Listing:
    from lion_broker.insight.mail_search import list_mails_steps, lively_steps
    from lion_broker.mail.exchange import run
    from lion_broker.mail.verbs import ListSessions

    chosen = (session,) if session else run(exchange, lively_steps(exchange.call(ListSessions())[-_SESSIONS:]))
    defaults = bare_defaults(exchange, chosen, {}) if ends.is_default_asked() else ()

    def fits(one: Passage, names: dict[str, str]) -> bool:
        return others(one) and ends.fit(one, names, defaults)

    # One more than is shown tells whether there are more. What is sorted by a number is chosen by it: then all that fit
    # are looked at.
    found = run(exchange, list_mails_steps(chosen, fits, most + 1 if sort == "sent" else _MOST, states))
    rows = [mail_row(one, where, found.names) for where, one in found.mails]
    if sort != "sent":
        field = {"tries": "attempts", "took": "took_seconds"}[sort]
        rows.sort(key=lambda row: -(row[field] or 0))
    is_more = len(rows) > most
    rows = rows[-most:] if sort == "sent" else rows[:most]
    bare = bare_defaults(exchange, {where for where, _ in found.mails}, found.names)
    return Listing(
        rows, mail_columns(bare, alone=session is not None), empty, " ".join(_left_out(found, most, is_more=is_more))
    )


def _left_out(found: MailList, most: int, *, is_more: bool) -> Iterator[str]:
    """What is not shown, and what was not looked at, a sentence each, with what to do about it."""
    if is_more:
        yield f"More than {most:,} fit: --limit N shows them."
    if found.left:
        yield f"{counted(found.left, 'quieter session')} not looked at: name one, or --limit N."
    if found.older:
        yield (
            f"Of {counted(found.older, 'older mail')} only those were looked at that wait or are dead:"
            " lion-broker mail show MAIL finds each."
        )


def _told(found: Found, names: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """What is to be known of a mail before its waterfall."""
    one = found.trace.passage
    yield "mail", one.mail
    yield "session", found.session
    yield (
        "way",
        f"{branch_cell(one.sender, names)} → {branch_cell(one.recipient, names)}, {cell(one.category)}",
    )
    tries = f", attempt {one.attempts}" if one.attempts and one.state != "applied" else ""
    tries = tries or (f", at attempt {one.attempts}" if one.attempts > 1 else "")
    lasts = f", for {took(time.time() - one.since)} now" if one.since is not None else ""
    yield "state", paint(one.state, f"{one.state}{tries}{lasts}")
    yield "sent", f"{moment(one.sent)} ({since(moment(one.sent))} ago)"
    if one.where:
        yield "where", one.where + (f", until {moment(one.due)}" if one.due else "")
    if one.expires:
        yield "expires", moment(one.expires)
    if one.owner:
        yield "worker", cell(one.owner)
    if one.reason:
        yield "reason", paint("failed", cell(one.reason))
    if one.text:
        yield "says", cell(one.text)


def _advice(exchange: Exchange, found: Found) -> Iterator[str]:
    """What to do about a mail that is not done, each with the command that does it."""
    from lion_broker.insight.overview import worker_views
    from lion_broker.insight.reasons import poisoned, reason_of
    from lion_broker.mail.verbs import ReadBranches, ReadWorkers

    one = found.trace.passage
    if one.state == "dead":
        if (why := poisoned(found.trace)) is not None:
            yield cell(why.text)
        yield f"A dead letter: lion-broker dead show {found.session} {one.letter}, then dead retry, edit or drop."
        return
    if one.state == "applied":
        return
    branches, roll = exchange.call_all((ReadBranches(found.session, (one.recipient,)), ReadWorkers()))
    reason = reason_of(found.session, one, branches[0] if branches else None, worker_views(roll))
    if reason is not None:
        text = cell(reason.text)
        yield f"{text.removesuffix('.')}: {reason.command}" if reason.command else text
    if one.state == "working":
        yield f"To stop it: lion-broker mail stop {one.mail} --session {found.session}"
    if one.state in ("waiting", "retrying", "delayed"):
        yield f"To take it back: lion-broker mail withdraw {one.mail} --session {found.session}"
