"""Mailboxes of all sessions, and branches that are paused and resumed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from lion_broker.dashboard.access import Visitor
from lion_broker.dashboard.console import Console
from lion_broker.dashboard.pages import Page, page_routes
from lion_broker.dashboard.tables import Empty, Row, Table
from lion_broker.dashboard.views.sessions import branch_row, branch_state, branch_table, default_branch, session_name
from lion_broker.errors import BranchClosed, ItemNotFoundError
from lion_broker.mail.checks import is_id
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import BranchRecord, SessionRecord
from lion_broker.mail.verbs import Pause, ReadBranches, Resume

from .acting import Done, Form, act_route
from .asked import following, number_asked, text_asked

__all__ = ["ROUTES"]

_PAGE: Final = 100
_READ: Final = 500
_SESSIONS: Final = 20
_LOOKED_AT: Final = 10_000
_STATES: Final = ("waiting", "working", "retrying", "paused", "idle", "local")
NOTHING: Final = Empty(
    "No branch is like that. Mail that waits, is worked on or retried shows here; to see it move:",
    "lion-broker demo research --keep",
)


@dataclass(frozen=True, slots=True)
class _Met:
    """A branch on the way through all sessions: its session with that one's name, and its place there."""

    session: SessionRecord
    record: BranchRecord
    place: int


async def mailboxes(request: Request, console: Console) -> Page:
    """Branches of all sessions, newest session first; `state` chooses. A page looks at ten thousand at most."""
    state = text_asked(request, "state")
    at, start = text_asked(request, "at"), number_asked(request, "start", 0, 10**9)
    ids = await console.session_ids()
    ids = ids[ids.index(at) :] if at in ids else ids
    rows, more, note = list[Row](), "", ""
    looked_at = 0
    async for met in _meet(console, ids, start if at in ids else 0):
        looked_at += 1
        if not state or branch_state(met.record) == state:
            if len(rows) == _PAGE:
                more = following(request, at=met.session.id, start=met.place)
                break
            names = {met.session.id: session_name(met.session)}
            rows.append(branch_row(met.session.id, met.record, names, default_branch(met.session)))
        if looked_at == _LOOKED_AT:
            more = following(request, at=met.session.id, start=met.place + 1)
            note = f"Looked at {_LOOKED_AT:,} branches; there are more."
            break
    shape = branch_table("", (), of={}, empty=NOTHING)
    table = Table("mailboxes", "Mailboxes", shape.columns, rows, NOTHING, more, note)
    return Page("mailboxes.html", "Mailboxes", "mailboxes", (table,), {"state": state, "states": _STATES})


async def _meet(console: Console, ids: Sequence[str], start: int) -> AsyncIterator[_Met]:
    """Go through the branches of sessions, from place `start` of the first on."""
    for first in range(0, len(ids), _SESSIONS):
        for session in await console.sessions(ids[first : first + _SESSIONS]):
            place = start if session.id == ids[0] else 0
            while page := await console.exchange.acall(ReadBranches(session.id, start=place, count=_READ)):
                for record in page:
                    yield _Met(session, record, place)
                    place += 1


async def pause(request: Request, console: Console, visitor: Visitor, form: Form) -> Done:
    """Have a branch take no more turns; its mail waits."""
    session, branch = _named(request)
    reason = form.get("reason").strip()[:200] or f"paused by {visitor.who}"
    await console.note(visitor, "pause branch", f"branch {branch}", f"session {session}: {reason}")
    return _done("paused", session, await console.exchange.acall(Pause(session, branch, reason)))


async def resume(request: Request, console: Console, visitor: Visitor, form: Form) -> Done:
    """Let a branch take turns again; what has failed before is tried afresh."""
    session, branch = _named(request)
    await console.note(visitor, "resume branch", f"branch {branch}", f"session {session}")
    return _done("resumed", session, await console.exchange.acall(Resume(session, branch)))


def _named(request: Request) -> tuple[str, str]:
    session, branch = request.path_params["session"], request.path_params["branch"]
    if not (is_id(session) and is_id(branch)):
        raise ItemNotFoundError("There is no such branch.")
    return session, branch


def _done(word: str, session: str, outcome: Outcome) -> Done:
    if outcome is Outcome.UNKNOWN:
        raise ItemNotFoundError("There is no such branch on workers (any more). Only these can be paused.")
    if outcome is Outcome.CLOSED:
        raise BranchClosed("The branch was removed from its session.")
    return Done(word, f"/sessions/{session}/branches", count=int(outcome is Outcome.OK))


ROUTES = [
    *page_routes("/mailboxes", mailboxes),
    act_route("/sessions/{session}/branches/{branch}/pause", pause),
    act_route("/sessions/{session}/branches/{branch}/resume", resume),
]
