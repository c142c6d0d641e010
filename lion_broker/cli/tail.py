"""`tail`: what happens in sessions, mail by mail, as it happens."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer

from lion_broker.core.numbers import counted
from lion_broker.errors import BranchClosed, BrokerUnavailable, ConfigError, ItemNotFoundError
from lion_broker.mail.naming import DEFAULT_BRANCH, default_of

from .age import seconds_of
from .options import AsJson, Namespace, Url, exchange_at
from .printing import branch_cell, cell, paint, print_json
from .running import ended_by_reader, ended_by_signals, reader_is_gone
from .session_lookup import Maybe, session_id
from .tail_positions import TailPositions

if TYPE_CHECKING:
    from lion_broker.insight.tail import Happenings
    from lion_broker.insight.views import Happening
    from lion_broker.mail.exchange import Exchange

__all__ = ["tail"]

_T = TypeVar("_T")

_KINDS: Final = (
    *("sent", "applied", "failed", "dead", "aside", "said"),
    *("created", "closed", "paused", "resumed", "exhumed", "dropped"),
)


def _known(kinds: list[str] | None) -> list[str] | None:
    """Refuse a kind of which nothing would ever be shown."""
    odd = [one for one in kinds or () if one not in _KINDS]
    if odd:
        raise typer.BadParameter(f"{odd[0]!r:.40} is none of: {', '.join(_KINDS)}.")
    return kinds


_WAIT_MS: Final = 500
_PAUSE_SECONDS: Final = 0.3
_LOOKS_IN_VAIN: Final = 4
"""After so many looks with nothing new, which is a second or two, who waits for the end is told what for."""
_TOGETHER: Final = 50
_LONGEST_DETAIL: Final = 120


def tail(
    session: Maybe = None,
    branch: Annotated[
        str | None, typer.Option(metavar="BRANCH", help="Only what this branch did, sent or got; an id or a name.")
    ] = None,
    category: Annotated[str | None, typer.Option(metavar="NAME", help="Only mail of a category.")] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            callback=_known,
            autocompletion=lambda: list(_KINDS),
            metavar="KIND",
            help=f"Only this: {', '.join(_KINDS)}. May be repeated.",
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN",
            help="Begin earlier than now: 5m, 2h (so long ago), 2026-01-31T12:00 (a time), or the id after which to go"
            " on, as --json prints it.",
        ),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Keep in a file how far it has come in each session, and go on there if there is such a file.",
        ),
    ] = None,
    until_idle: Annotated[
        bool, typer.Option("--until-idle", help="Begin at the oldest that is kept, end when no mail is on its way.")
    ] = False,
    url: Url = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Show what happens in a session, or in all: each mail that is sent, applied, fails, or is a dead letter.

    A session keeps about the newest two thousand occurrences for this; whoever falls behind is told of the gap, and the
    logs have the rest (`session trace`). With --json, a line is one object. Of one session --since ID goes on after it
    without loss or doubles; of all, --state FILE does: nothing is lost, and only what a tail was killed at comes twice.
    A server that stops answering is waited for, but not with --until-idle; then it goes on where it was. Ctrl-C and
    SIGTERM end it with 0. Example: lion-broker tail --since 5m --kind failed --kind dead
    """
    after = _begin(since, until_idle)
    marks = TailPositions(state) if state is not None else None
    with exchange_at(url, namespace) as exchange, ended_by_signals(), ended_by_reader():
        wanted = session_id(exchange, session) if session is not None else None
        watch = _Watch(exchange, wanted, after, branch or "", category or "", kind or (), marks, many=wanted is None)
        watch.outlives = not until_idle
        if wanted is not None and branch:
            _warn_of(exchange, wanted, branch)
        try:
            for one, happening in watch.happenings(until_idle):
                names = watch.asked(partial(watch.names, one, happening))
                if watch.fits(happening, names):
                    _show(one, happening, names if as_json else watch.called(names), as_json, many=wanted is None)
                if marks is not None:
                    marks.at[one] = happening.id
        finally:
            if marks is not None and marks.at:
                marks.save()


def _warn_of(exchange: Exchange, session: str, branch: str) -> None:
    """Say that a branch is not there: it may come yet, or have been removed; mostly its name is mistyped."""
    from lion_broker.session.session import Session as Sessions

    try:
        Sessions.open(session, exchange=exchange).locate(branch)
    except (ItemNotFoundError, BranchClosed) as error:
        typer.echo(f"Warning: {error} What it did, or does when it comes, is shown.", err=True)


class _Watch:
    """The sessions that are watched, and the names of their branches."""

    def __init__(
        self,
        exchange: Exchange,
        session: str | None,
        after: str,
        branch: str,
        category: str,
        kinds: Sequence[str],
        marks: TailPositions | None,
        *,
        many: bool,
    ) -> None:
        from lion_broker.insight.tail import Happenings

        self._exchange = exchange
        self._after = after
        self._branch = branch
        self._category = category
        self._kinds = kinds
        self._many = many
        self._marks = marks
        # Where there is a file, a session that it does not have has come since it was written.
        self._first = not (marks is not None and marks.found and many)
        self._tails: dict[str, Happenings] = {session: Happenings(session, self._at(session))} if session else {}
        self._names: dict[tuple[str, str], str] = {}
        self._defaults: set[str] = set()
        self.outlives = False
        self.is_under_way = False

    def happenings(self, until_idle: bool) -> Iterator[tuple[str, Happening]]:
        """Yield what happens, with its session; for ever, or until nothing is on its way."""
        was_idle, in_vain = False, 0
        while True:
            if self._many:
                self.asked(self._find_sessions)
            wait_ms = 0 if self._many else _WAIT_MS
            moved = False
            for first in range(0, len(self._tails), _TOGETHER):
                part = list(self._tails.values())[first : first + _TOGETHER]
                before = [one.position for one in part]
                found = self.asked(partial(self._read, part, wait_ms))
                moved = moved or before != [one.position for one in part]
                rows = [(one.session, each) for one, each_of in zip(part, found, strict=True) for each in each_of]
                # By time, whichever session it is of; those of one stay in their order.
                yield from sorted(rows, key=lambda row: int(row[1].id.partition("-")[0]))
            if moved or not self.is_under_way:
                self._keep()
            self.is_under_way = True
            if moved:
                was_idle, in_vain = False, 0
                continue
            if (until_idle and was_idle) or reader_is_gone():
                return
            # What was on its way when the tail was read may have arrived since.
            was_idle = until_idle and self._on_their_way() == 0
            in_vain += until_idle and not was_idle
            if in_vain == _LOOKS_IN_VAIN:
                self._tell_of_the_wait()
            if self._many and not was_idle:
                time.sleep(_PAUSE_SECONDS)

    def asked(self, look: Callable[[], _T]) -> _T:
        """Return what a look has found; a server that has answered before is waited for, which is said once."""
        is_told = False
        while True:
            try:
                return look()
            except BrokerUnavailable as error:
                if not (self.outlives and self.is_under_way):
                    raise
                if not is_told:
                    typer.echo(f"{error} Looking again.", err=True)
                is_told = True
                time.sleep(_PAUSE_SECONDS)

    def _read(self, part: Sequence[Happenings], wait_ms: int) -> list[list[Happening]]:
        """Read on in some sessions: in all of them or, where no server answers, in none."""
        from lion_broker.mail.exchange import run, together

        before = [one.position for one in part]
        try:
            return run(self._exchange, together([one.next_steps(wait_ms) for one in part]))
        except BrokerUnavailable:
            for one, position in zip(part, before, strict=True):
                one.position = position
            raise

    def names(self, session: str, happening: Happening) -> dict[str, str]:
        """The names of the branches that a happening names."""
        from lion_broker.mail.verbs import ReadBranches, ReadSession

        if happening.kind == "created" and happening.text:
            self._names[(session, happening.branch)] = happening.text
        ends = {end for end in (happening.branch, happening.sender, happening.recipient) if end}
        unknown = tuple(end for end in sorted(ends) if (session, end) not in self._names)
        if unknown:
            self._names |= {(session, end): "session" if end == session else "" for end in unknown}
            records, seen = self._exchange.call_all((ReadBranches(session, unknown), ReadSession(session)))
            if seen is not None:
                self._defaults.add(default_of(seen))
            for record in records:
                if record.id != session:
                    self._names[(session, record.id)] = record.seed.name
        return {end: self._names[(session, end)] or end for end in ends}

    def called(self, names: dict[str, str]) -> dict[str, str]:
        """The same for people: the branch that stands for a session, which mostly has no name, goes by that."""
        return {end: DEFAULT_BRANCH if name == end and end in self._defaults else name for end, name in names.items()}

    def fits(self, happening: Happening, names: dict[str, str]) -> bool:
        """Whether a happening is of the branch, category and kinds that are asked for; a gap always is."""
        ends = (happening.branch, happening.sender, happening.recipient)
        of_branch = not self._branch or any(self._branch in (end, names.get(end)) for end in ends if end)
        of_category = not self._category or happening.category == self._category
        of_kind = not self._kinds or happening.kind in self._kinds
        return (of_branch and of_category and of_kind) or happening.kind == "gap"

    def _find_sessions(self) -> None:
        from lion_broker.insight.tail import Happenings
        from lion_broker.mail.verbs import ListSessions

        there = self._exchange.call(ListSessions())
        for gone in self._tails.keys() - set(there):
            del self._tails[gone]
        for session in there:
            if session not in self._tails:
                # One that came later is new from its beginning on.
                self._tails[session] = Happenings(session, self._at(session))
        self._first = False

    def _at(self, session: str) -> str:
        """After what a session is read: where the file says, or where all begin; one that came later is read whole."""
        from lion_broker.mail.records import START

        after = self._after if self._first else START
        if self._marks is None:
            return after
        after = self._marks.at.get(session, after)
        if after != "$":
            # Whoever ends it before anything is read has lost nothing.
            self._marks.at[session] = after
        return after

    def _keep(self) -> None:
        """Write down how far it has come; what has been yielded so far is shown by now."""
        if self._marks is not None:
            # Sessions that are gone need no place; those that are not looked at keep theirs.
            others = {} if self._many else self._marks.at
            self._marks.at = {**others, **{one.session: one.position for one in self._tails.values()}}
            self._marks.save()

    def _on_their_way(self) -> int:
        """How many mails are; delayed ones too."""
        from lion_broker.mail.verbs import ReadSession

        records = self._exchange.call_all([ReadSession(one) for one in self._tails]) if self._tails else []
        waiting = ("inflight", "delayed")
        return sum(record.counters[name] for record in records if record is not None for name in waiting)

    def _tell_of_the_wait(self) -> None:
        many = counted(self._on_their_way(), "mail")
        waits = f"Nothing happens, and {many} on the way: this ends when there is none."
        typer.echo(f"{waits} `lion-broker status` says what is waited for.", err=True)


def _begin(since: str | None, until_idle: bool) -> str:
    """The id after which to begin, of what a person has written. Raises ConfigError."""
    from lion_broker.mail.checks import is_entry
    from lion_broker.mail.records import START

    if since is None:
        return START if until_idle else "$"
    text = since.strip()
    if is_entry(text.partition(".")[0]):
        return text
    try:
        moment = time.time() - seconds_of(text)
    except ConfigError:
        moment = _moment_of(text)
    return f"{max(1, int(moment * 1000))}-0"


def _moment_of(text: str) -> float:
    from datetime import datetime

    try:
        return datetime.fromisoformat(text).astimezone().timestamp()
    except (ValueError, OverflowError, OSError):
        raise ConfigError(
            f"{text!r:.40} is no beginning of a tail: write an age (5m, 2h), a time (2026-01-31T12:00), or an id that"
            " --json has printed (1764000000000-0)."
        ) from None


def _show(session: str, happening: Happening, names: dict[str, str], as_json: bool, *, many: bool) -> None:
    if as_json:
        ends: dict[str, Any] = {f"{end}_name": names.get(getattr(happening, end), "") for end in _ENDS}
        print_json({"session": session, **asdict(happening), **ends})
        return
    from datetime import datetime

    moment = datetime.fromtimestamp(happening.at).astimezone().strftime("%H:%M:%S.%f")[:-3]
    kind = paint(happening.kind, f"{happening.kind:<8}")
    where = f"{session[:13]}  " if many else ""
    typer.echo(f"{moment}  {where}{kind}  {_words(happening, names)}".rstrip())


_ENDS: Final = ("branch", "sender", "recipient")


def _words(happening: Happening, names: dict[str, str]) -> str:
    """A happening in words, and the beginning of the mail's id."""
    ends = (happening.branch, happening.sender, happening.recipient)
    branch, sender, recipient = (branch_cell(end, names) if end else "?" for end in ends)
    # The text of a branch that was created is its name.
    text = f": {cell(happening.text)}" if happening.text and happening.kind != "created" else ""
    mail = f"  [{cell(happening.mail)}]" if happening.mail else ""
    if happening.kind in ("sent", "applied"):
        return f"{sender} → {recipient}  {cell(happening.category)}{text}{mail}"
    if happening.kind in ("failed", "aside"):
        why = f": {cell(happening.error)}" + _detail(happening) if happening.error else ""
        what = f"attempt {happening.attempt}{why}"
        return f"{branch}  {what} ({cell(happening.text)}){mail}"
    if happening.kind == "dead":
        return f"{sender} → {branch}  {cell(happening.category)}{text}{_detail(happening)}{mail}"
    return f"{branch if happening.branch else ''}{text}{mail}".removeprefix(": ")


def _detail(happening: Happening) -> str:
    """What was said with an error, as short as a line of many allows; `dead show` and `mail show` have more."""
    from lion_broker.core.portable import one_line

    return f": {one_line(happening.detail, _LONGEST_DETAIL)}" if happening.detail else ""
