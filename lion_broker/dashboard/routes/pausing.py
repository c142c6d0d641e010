"""Branches that pause and go on: one of them, all of a session, or all of a pool."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request

from lion_broker.dashboard.access import Visitor
from lion_broker.dashboard.console import Console
from lion_broker.errors import BranchClosed, ItemNotFoundError
from lion_broker.mail.checks import check, is_id
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.verbs import Pause, Resume, SetWanted
from lion_broker.session.pausing import BranchSelection, Switched, pause_steps, resume_steps

from .acting import Done, Form, act_route

__all__ = ["ROUTES"]

_MOST: Final = 5000
"""So many branches one request deals with."""
_LONGEST_REASON: Final = 200


async def pause(request: Request, console: Console, visitor: Visitor, form: Form) -> Done:
    """Have a branch take no more turns; its mail waits."""
    session, branch = _named(request)
    reason = _reason(form, visitor)
    await console.note(visitor, "pause branch", f"branch {branch}", f"session {session}: {reason}")
    return _done("paused", session, await console.exchange.acall(Pause(session, branch, reason)))


async def resume(request: Request, console: Console, visitor: Visitor, form: Form) -> Done:
    """Let a branch take turns again; what has failed before is tried afresh."""
    session, branch = _named(request)
    await console.note(visitor, "resume branch", f"branch {branch}", f"session {session}")
    return _done("resumed", session, await console.exchange.acall(Resume(session, branch)))


async def pause_all(request: Request, console: Console, visitor: Visitor, form: Form) -> Done:
    """Have all branches of a session that live on workers take no more turns."""
    record = await console.session(request.path_params["session"])
    return await _pause(console, visitor, form, BranchSelection(record.id), f"/sessions/{record.id}/branches")


async def resume_all(request: Request, console: Console, visitor: Visitor, form: Form) -> Done:
    """Let all branches of a session that live on workers take turns again."""
    record = await console.session(request.path_params["session"])
    return await _resume(console, visitor, BranchSelection(record.id), f"/sessions/{record.id}/branches")


async def pause_pool(request: Request, console: Console, visitor: Visitor, form: Form) -> Done:
    """Have all branches of a pool take no more turns, whichever sessions they are of."""
    return await _pause(console, visitor, form, BranchSelection(pool=_pool(form)), "/workers")


async def resume_pool(request: Request, console: Console, visitor: Visitor, form: Form) -> Done:
    """Let branches take turns again that were paused with their pool."""
    return await _resume(console, visitor, BranchSelection(pool=_pool(form)), "/workers")


async def _pause(console: Console, visitor: Visitor, form: Form, selection: BranchSelection, to: str) -> Done:
    return _told("paused", to, await console.ask(pause_steps(selection, _reason(form, visitor), visitor.who, _MOST)))


async def _resume(console: Console, visitor: Visitor, selection: BranchSelection, to: str) -> Done:
    return _told("resumed", to, await console.ask(resume_steps(selection, visitor.who, _MOST)))


def _told(word: str, to: str, done: Switched) -> Done:
    return Done(word, to, len(done.done), len(done.left), done.more)


def _pool(form: Form) -> str:
    pool = form.get("pool")
    check(SetWanted(pool, None))
    return pool


def _reason(form: Form, visitor: Visitor) -> str:
    return form.get("reason").strip()[:_LONGEST_REASON] or f"paused by {visitor.who}"


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
    count, left = int(outcome is Outcome.OK), int(outcome is Outcome.ALREADY)
    return Done(word, f"/sessions/{session}/branches", count, left)


ROUTES = [
    act_route("/sessions/{session}/pause", pause_all),
    act_route("/sessions/{session}/resume", resume_all),
    act_route("/pools/pause", pause_pool),
    act_route("/pools/resume", resume_pool),
    act_route("/sessions/{session}/branches/{branch}/pause", pause),
    act_route("/sessions/{session}/branches/{branch}/resume", resume),
]
