"""Sessions, and one session: who is in it, and what was said."""

from __future__ import annotations

from starlette.requests import Request

from lion_broker.dashboard.console import Console
from lion_broker.dashboard.pages import Page, page_routes
from lion_broker.dashboard.reading import Stretch, branch_steps, names_steps, newest_steps, stretches_steps
from lion_broker.dashboard.tables import Empty
from lion_broker.dashboard.views.conversation import Utterance, merged, said_table, utterances
from lion_broker.dashboard.views.sessions import branch_table, default_branch, session_name, session_table
from lion_broker.mail.records import BranchRecord, SessionRecord
from lion_broker.mail.verbs import ReadBranches

from .asked import following, number_asked, text_asked

__all__ = ["ROUTES", "session_page"]

_SESSIONS = 50
_SEARCHED = 2000
_BRANCHES = 100
_RECORDS = 100
_MERGED_BRANCHES = 24
_MERGED = 300
NOTHING_SAID = Empty("Nothing has been said yet. A program sends:", 'branch.send(other, "message", "Hello.")')


async def sessions(request: Request, console: Console) -> Page:
    """All sessions, newest first; `q` finds by the beginning of an id or a part of a name."""
    ids = await console.session_ids()
    wanted = text_asked(request, "q").lower()
    start = number_asked(request, "start", 0, len(ids))
    note = ""
    if wanted:
        looked = await console.sessions(ids[:_SEARCHED])
        chosen = [one for one in looked if one.id.startswith(wanted) or wanted in session_name(one).lower()]
        note = f"Looked at the newest {_SEARCHED:,} sessions only." if len(ids) > _SEARCHED else ""
        table = session_table(chosen[start : start + _SESSIONS], _next(request, start, len(chosen)), note)
    else:
        table = session_table(await console.sessions(ids[start : start + _SESSIONS]), _next(request, start, len(ids)))
    return Page("sessions.html", "Sessions", "sessions", (table,), {"total": len(ids), "wanted": wanted})


def _next(request: Request, start: int, total: int) -> str:
    return following(request, start=start + _SESSIONS) if start + _SESSIONS < total else ""


def session_page(
    record: SessionRecord, template: str, title: str, view: str, tables: tuple[object, ...] = (), **context: object
) -> Page:
    """A page of one session: `view` is which of its pages."""
    name = session_name(record)
    shared = {"session": record, "session_name": name, "view": view}
    return Page(template, f"{name} · {title}", "sessions", tables, {**shared, **context})  # type: ignore[arg-type]


async def branches(request: Request, console: Console) -> Page:
    """Where the branches of a session stand, a page at a time."""
    record = await console.session(request.path_params["session"])
    start = number_asked(request, "start", 0, record.branches)
    found = await console.exchange.acall(ReadBranches(record.id, start=start, count=_BRANCHES))
    more = following(request, start=start + _BRANCHES) if start + _BRANCHES < record.branches else ""
    table = branch_table(record.id, found, more, default=default_branch(record))
    return session_page(record, "branches.html", "Mailboxes", "branches", (table,), branches=found)


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
    return session_page(record, "conversation.html", "Conversation", "conversation", (table,), **shown)


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
    return session_page(record, "conversation.html", "Conversation", "conversation", (table,), **shown)


async def _of_all(console: Console, record: SessionRecord, roster: tuple[BranchRecord, ...]) -> list[Utterance]:
    first = [one for one in roster[:_MERGED_BRANCHES] if one.version]
    stretches: list[Stretch] = await console.ask(stretches_steps(record.id, first, _RECORDS))
    return merged([list(utterances(one.branch, one.rows)) for one in stretches], _MERGED)


async def _names(console: Console, record: SessionRecord, said: list[Utterance]) -> dict[str, str]:
    ids = {end for one in said for end in (one.branch, one.sender, one.recipient) if end}
    names: dict[str, str] = await console.ask(names_steps(((record.id, end) for end in ids), default_branch(record)))
    return names


ROUTES = [
    *page_routes("/sessions", sessions),
    *page_routes("/sessions/{session}/branches", branches),
    *page_routes("/sessions/{session}/conversation", conversation),
]
