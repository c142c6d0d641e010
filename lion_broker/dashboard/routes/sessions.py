"""Sessions, and one session: who is in it, and what was said."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from starlette.requests import Request

from lion_broker.dashboard.arranging import is_order_asked
from lion_broker.dashboard.asked import following, number_asked, size_asked, text_asked
from lion_broker.dashboard.console import Console
from lion_broker.dashboard.pages import Page, page_routes
from lion_broker.dashboard.reading import Stretch, branch_steps, names_steps, newest_steps, stretches_steps
from lion_broker.dashboard.tables import Empty
from lion_broker.dashboard.views.conversation import Utterance, merged, said_table, utterances
from lion_broker.dashboard.views.sessions import (
    NO_BRANCHES,
    NO_SESSIONS,
    branch_table,
    default_branch,
    session_name,
    session_table,
)
from lion_broker.insight.unreceived import unreceived_in_steps
from lion_broker.mail.records import BranchRecord, SessionRecord
from lion_broker.mail.verbs import ReadBranches

from .mailboxes import NO_SUCH_BRANCH, STATES, Choice, gather

__all__ = ["ROUTES", "session_page"]

_SESSIONS = 50
_SEARCHED = 2000
_BRANCHES = 100
_HAVING: Final[Mapping[str, Callable[[SessionRecord], int]]] = {
    "waiting": lambda record: record.counters["inflight"] + record.counters["delayed"],
    "dead": lambda record: record.counters["dead"],
    "redelivered": lambda record: record.counters["redelivered"],
}
NONE_LIKE_THAT = Empty("No session is like that.")
_RECORDS = 100
_MERGED_BRANCHES = 24
_MERGED = 300
NOTHING_SAID = Empty("Nothing has been said yet. A program sends:", 'branch.send(other, "message", "Hello.")')


async def sessions(request: Request, console: Console) -> Page:
    """All sessions, newest first; `q` finds by the ends of an id or a part of a name, `with` by what they have."""
    ids = await console.session_ids()
    wanted, having = text_asked(request, "q").lower(), text_asked(request, "with")
    size = size_asked(request, _SESSIONS)
    if wanted or having or is_order_asked(request):
        looked = await console.sessions(ids[:_SEARCHED])
        chosen = [one for one in looked if _is_meant(one, wanted, having)]
        note = f"Looked at the newest {_SEARCHED:,} sessions only." if len(ids) > _SEARCHED else ""
        empty = NONE_LIKE_THAT if ids else NO_SESSIONS
        table = replace(session_table(chosen, note=note, empty=empty), whole=True, size=size)
    else:
        start = number_asked(request, "start", 0, len(ids))
        more = following(request, start=start + size) if start + size < len(ids) else ""
        table = replace(session_table(await console.sessions(ids[start : start + size]), more), size=size)
    asked = {"wanted": wanted, "having": having, "choice": tuple(_HAVING)}
    return Page("sessions.html", "Sessions", "sessions", (table,), {"total": len(ids), **asked})


def _is_meant(record: SessionRecord, wanted: str, having: str) -> bool:
    named = record.id.startswith(wanted) or record.id.endswith(wanted) or wanted in session_name(record).lower()
    return named and (not having or (having in _HAVING and _HAVING[having](record) > 0))


async def session_page(
    console: Console,
    record: SessionRecord,
    template: str,
    title: str,
    view: str,
    tables: tuple[object, ...] = (),
    **context: object,
) -> Page:
    """A page of one session: `view` is which of its pages."""
    name = session_name(record)
    unreceived = await console.ask(unreceived_in_steps(record))
    shared = {"session": record, "session_name": name, "view": view, "unreceived": unreceived}
    return Page(template, f"{name} · {title}", "sessions", tables, {**shared, **context})  # type: ignore[arg-type]


async def branches(request: Request, console: Console) -> Page:
    """Where the branches of a session stand, a page at a time; `state` and `q` choose."""
    record = await console.session(request.path_params["session"])
    choice = Choice.asked(request)
    size = size_asked(request, _BRANCHES)
    if choice.is_any or is_order_asked(request):
        found = await gather(request, console, [record.id], choice)
        empty = NO_SUCH_BRANCH if record.branches else NO_BRANCHES
        shape = branch_table(record.id, (), empty=empty, note=found.note)
        table = replace(shape, rows=found.rows, whole=True, size=size)
    else:
        start = number_asked(request, "start", 0, record.branches)
        page = await console.exchange.acall(ReadBranches(record.id, start=start, count=size))
        more = following(request, start=start + size) if start + size < record.branches else ""
        table = replace(branch_table(record.id, page, more, default=default_branch(record)), size=size)
    return await session_page(
        console, record, "branches.html", "Mailboxes", "branches", (table,), choice=choice, states=STATES
    )


async def conversation(request: Request, console: Console) -> Page:
    """What one branch has said and heard, or all of them together."""
    record = await console.session(request.path_params["session"])
    roster = await console.exchange.acall(ReadBranches(record.id, count=_BRANCHES))
    wanted = text_asked(request, "branch")
    if wanted:
        return await _of_branch(request, console, record, roster, wanted)
    said = await _of_all(console, record, roster)
    names = await _names(console, record, said)
    note = "" if record.branches <= _MERGED_BRANCHES else f"Of the first {_MERGED_BRANCHES} branches only."
    table = said_table(said, names, "", NOTHING_SAID)
    shown = {"said": said, "names": names, "roster": roster, "chosen": None, "older": "", "note": note}
    return await session_page(console, record, "conversation.html", "Conversation", "conversation", (table,), **shown)


async def _of_branch(
    request: Request, console: Console, record: SessionRecord, roster: tuple[BranchRecord, ...], wanted: str
) -> Page:
    chosen = await console.ask(branch_steps(record.id, wanted))
    before = number_asked(request, "before", 0, 2**53)
    stretch: Stretch = await console.ask(newest_steps(record.id, chosen, before, _RECORDS))
    said = list(utterances(chosen.id, stretch.rows))
    names = await _names(console, record, said)
    older = following(request, before=stretch.before) if stretch.before else ""
    table = said_table(said, names, older, NOTHING_SAID)
    shown = {"said": said, "names": names, "roster": roster, "chosen": chosen, "older": older, "note": ""}
    return await session_page(console, record, "conversation.html", "Conversation", "conversation", (table,), **shown)


async def _of_all(console: Console, record: SessionRecord, roster: tuple[BranchRecord, ...]) -> list[Utterance]:
    first = [one for one in roster[:_MERGED_BRANCHES] if one.version]
    stretches: list[Stretch] = await console.ask(stretches_steps(record.id, first, _RECORDS))
    return merged([list(utterances(one.branch, one.rows)) for one in stretches], _MERGED)


async def _names(console: Console, record: SessionRecord, said: list[Utterance]) -> dict[str, str]:
    ids = {end for one in said for end in (one.branch, one.sender, one.recipient) if end}
    names: dict[str, str] = await console.ask(names_steps(((record.id, end) for end in ids), [default_branch(record)]))
    return names


ROUTES = [
    *page_routes("/sessions", sessions),
    *page_routes("/sessions/{session}/branches", branches),
    *page_routes("/sessions/{session}/conversation", conversation),
]
