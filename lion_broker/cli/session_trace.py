"""`session trace`: what happened to a mail, as a waterfall."""

from __future__ import annotations

import sys
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from lion_broker.core.numbers import counted
from lion_broker.insight.durations import duration
from lion_broker.mail.naming import DEFAULT_BRANCH

from .listing import Column, Form, Listing, told
from .options import AsJson, Namespace, Url, exchange_at
from .printing import branch_cell, cell, moment, print_json, short_id, since, took
from .session_lookup import One, bare_defaults, called, session_id

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from lion_broker.insight.views import Lanes, Passage, Span, Trace

__all__ = ["end_columns", "mail_columns", "mail_row", "show_trace", "trace"]

_BAR: Final = 40
_LEAST_BAR: Final = 12
_LEAST_WHAT: Final = 24
_SECONDS: Final = 11
_PIPE: Final = 120
_STYLES: Final = {
    "queued": "yellow",
    "leased": "yellow",
    "wait": "bright_black",
    "work": "green",
    "model": "magenta",
    "tool": "cyan",
    "delivered": "blue",
}
_BEFORE_ENDS: Final = (
    Column("mail", kind="id"),
    Column("session", kind="id", rare=True, spare=4),
    Column("age", lambda row: since(row["sent"]), kind="number", spare=2),
    Column("sent", wide=True),
)
_AFTER_ENDS: Final = (
    Column("category", spare=6),
    Column("state", kind="state"),
    Column("tries", "attempts", kind="number", spare=3),
    Column("waited", lambda row: took(row["waited_seconds"]), kind="number", spare=7),
    Column("took", lambda row: took(row["took_seconds"]), kind="number", spare=5),
    Column("reason", kind="text", rare=True),
    Column("owner", wide=True),
    Column("text", kind="text", spare=1),
)


def trace(
    session: One,
    mail: Annotated[
        str | None,
        typer.Argument(metavar="[MAIL]", help="The id of a mail, or its beginning. Default: a table of the latest."),
    ] = None,
    count: Annotated[
        int, typer.Option("--count", "-n", min=1, max=20_000, help="Without MAIL: how many of the latest mails.")
    ] = 20,
    depth: Annotated[int, typer.Option(min=0, max=100, help="How deep to follow the mails that it led to.")] = 10,
    url: Url = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Show what happened to a mail: where it waited, each attempt with its calls, and the mails that it led to.

    Without MAIL, the latest mails with their ids. Nothing has to be turned on for it: the branches' logs tell. Example:
    lion-broker session trace desk 01a21a25-c290
    """
    from lion_broker.insight.lanes import lanes_steps
    from lion_broker.insight.trace import trace_steps
    from lion_broker.mail.exchange import run

    with exchange_at(url, namespace) as exchange:
        found = session_id(exchange, session)
        if mail is None:
            lanes = run(exchange, lanes_steps(found, count=count))
            _show_lanes(found, lanes, bare_defaults(exchange, [found], lanes.names), as_json)
            return
        traced, names = run(exchange, trace_steps(found, mail, depth=depth)), _names(exchange, found)
        shown = called(exchange, found, names)
    if as_json:
        print_json({"names": names, **asdict(traced)})
    else:
        show_trace(traced, shown)


def _names(exchange: Any, session: str) -> dict[str, str]:
    from lion_broker.mail.verbs import ReadBranches

    names, start = {session: "session"}, 0
    while page := exchange.call(ReadBranches(session, start=start)):
        names |= {record.id: record.seed.name or record.id for record in page}
        start += len(page)
    return names


def _show_lanes(session: str, lanes: Lanes, bare: Collection[str], as_json: bool) -> None:
    note = f"… and older ones: --count {len(lanes.passages) * 2}" if lanes.more else ""
    rows = [mail_row(one, session, lanes.names) for one in lanes.passages]
    form: Form = "json" if as_json else "table"
    told(Listing(rows, mail_columns(bare, alone=True), "There is no mail in this session.", note), form)


def mail_columns(bare: Collection[str], *, alone: bool = False) -> tuple[Column, ...]:
    """Return the columns of a table of mails, of one session `alone` without it.

    `bare` are branches that stand for sessions and have no name.
    """
    before = [one for one in _BEFORE_ENDS if not (alone and one.heading == "session")]
    return (*before, *end_columns(bare), *_AFTER_ENDS)


def end_columns(bare: Collection[str]) -> tuple[Column, Column]:
    """Return the columns for who has sent a mail, and to whom."""

    def end(of: str) -> Column:
        return Column(of, lambda row: DEFAULT_BRANCH if row[of] in bare else short_id(row[of]), kind="text")

    return end("from"), end("to")


def mail_row(one: Passage, session: str, names: Mapping[str, str]) -> dict[str, Any]:
    """Where a mail stands, as a row."""
    waited, lasted = one.waited, one.took(time.time())
    return {
        "mail": one.mail,
        "session": session,
        "sent": moment(one.sent),
        "from": names.get(one.sender) or one.sender,
        "to": names.get(one.recipient) or one.recipient,
        "category": one.category,
        "state": one.state,
        "attempts": one.attempts,
        "waited_seconds": None if waited is None else round(waited, 3),
        "took_seconds": None if lasted is None else round(lasted, 3),
        "owner": one.owner,
        "reason": one.reason,
        "letter": one.letter,
        "text": one.text,
    }


def show_trace(found: Trace, names: Mapping[str, str]) -> None:
    """Print what happened to a mail as a waterfall, with the mails that it led to."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from lion_broker.config import of_terminal

    spans = list(_spans(found))
    began = min((span.began for span in spans), default=found.passage.sent)
    ended = max((span.began + span.seconds for span in spans), default=began)
    # Nobody says how wide a pipe is: there is room for what a narrow terminal has to cut.
    console = Console(highlight=False, width=None if sys.stdout.isatty() or of_terminal("COLUMNS") else _PIPE)
    table = Table(box=None, pad_edge=False, show_header=False)
    told = max(_LEAST_WHAT, min(56, console.width - _BAR - _SECONDS - 2))
    table.add_column(no_wrap=True, overflow="ellipsis", max_width=told)
    table.add_column(justify="right", no_wrap=True, width=_SECONDS)
    table.add_column(overflow="fold")
    room = max(_LEAST_BAR, console.width - told - _SECONDS - 2)
    _add(table, found, names, _Scale(began, max(ended - began, 1e-6), room), 0)
    # What is said beside the bars has the room that names leave, and goes on in lines of its own: it takes none of it.
    named = min(told, max((one.cell_len for one in table.columns[0].cells if isinstance(one, Text)), default=told))
    table.columns[2].max_width = max(_LEAST_BAR, console.width - named - _SECONDS - 2)
    console.print(table)


def _spans(found: Trace) -> Iterator[Span]:
    yield from found.spans
    for one in found.caused:
        yield from _spans(one)


@dataclass(frozen=True, slots=True)
class _Scale:
    """From when on and for how many seconds time is drawn, in so many signs."""

    began: float
    seconds: float
    room: int


def _line(text: str, style: str = "") -> Text:
    """A text that stays on its line: its end is cut where there is no room."""
    from rich.text import Text

    return Text(text, style=style, no_wrap=True, overflow="ellipsis")


def _add(table: Table, found: Trace, names: Mapping[str, str], scale: _Scale, level: int) -> None:
    from rich.bar import Bar
    from rich.text import Text

    one, indent = found.passage, "  " * level
    way = f"{branch_cell(one.sender, names)} → {branch_cell(one.recipient, names)}"
    shown = one.mail if len(one.mail) <= scale.room else short_id(one.mail)
    table.add_row(Text(f"{indent}{way}", style="bold"), Text(one.state), _line(shown))
    said = cell(f"{one.category}: {one.text}" if one.text else one.category)
    table.add_row(Text(), Text(), _line(said, style="dim"))
    if one.reason:
        table.add_row(Text(), Text(), Text(cell(one.reason), style="dim"))
    for span in found.spans:
        inner = "    " if span.kind in ("model", "tool") else "  "
        what = Text(f"{indent}{inner}{span.kind}  {cell(span.name) if span.name else ''}".rstrip())
        more = Text("".join(f"{name} {cell(value)}  " for name, value in _told(span)), style="dim")
        more.append(cell(span.error) if span.error else "", style="red")
        fits = len(what) + 2 + len(more) <= (table.columns[0].max_width or 0)
        if fits and more:
            what.append("  ").append_text(more)
        first = span.began - scale.began
        least = scale.seconds / _BAR / 8
        bar = Bar(scale.seconds, first, first + max(span.seconds, least), width=min(_BAR, scale.room))
        bar.style = _style(span)
        table.add_row(what, Text(_length(span.seconds)), bar)
        if more and not fits:
            # Who has lost it, and to what, is what one has come for: it is never cut.
            table.add_row(Text(), Text(), more)
        if note := _note(span):
            table.add_row(Text(), Text(), Text(note, style="dim"))
    for caused in found.caused:
        _add(table, caused, names, scale, level + 1)
    if found.left_out:
        table.add_row(
            Text(f"{indent}  … and {counted(found.left_out, 'more mail')} that it led to: --depth", style="dim")
        )


def _told(span: Span) -> Iterator[tuple[str, object]]:
    """What is worth telling of a span beside its name: who lost it, and the tokens."""
    owners = span.fields.get("owners")
    if isinstance(owners, list) and owners:
        yield "on", ", ".join(map(str, owners))
    yield from ((name, value) for name, value in span.fields.items() if name.endswith("_tokens"))


def _note(span: Span) -> str:
    """What has to be said of a span that is not what it looks like."""
    if span.fields.get("reused"):
        return "was answered before, in an attempt that was lost"
    if span.fields.get("goes_on"):
        return "goes on; what it calls is told when it has ended"
    if span.fields.get("calls") == "unknown":
        return "what it has called is unknown, but for what the next attempt has reused"
    return ""


def _style(span: Span) -> Any:
    from rich.style import Style

    return Style(color="red" if span.error else _STYLES.get(span.kind))


def _length(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:,.1f} ms"
    return f"{seconds:,.2f} s" if seconds < 60 else duration(seconds)
