"""Branches that pause and go on: one of them, or all of a session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from starlette.requests import Request

from lion_broker.dashboard.access import Visitor
from lion_broker.dashboard.console import Console
from lion_broker.errors import BranchClosed, ItemNotFoundError
from lion_broker.mail.checks import is_id
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.verbs import Pause, ReadBranches, Resume

from .acting import Done, Form, act_route

__all__ = ["ROUTES"]

_READ: Final = 500
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
    reason = _reason(form, visitor)
    await console.note(visitor, "pause session", f"session {record.id}", reason)
    return await _all(console, "paused", record.id, lambda branch: Pause(record.id, branch, reason))


async def resume_all(request: Request, console: Console, visitor: Visitor, form: Form) -> Done:
    """Let all branches of a session that live on workers take turns again."""
    record = await console.session(request.path_params["session"])
    await console.note(visitor, "resume session", f"session {record.id}")
    return await _all(console, "resumed", record.id, lambda branch: Resume(record.id, branch))


async def _all(console: Console, word: str, session: str, verb_of: Callable[[str], Pause | Resume]) -> Done:
    """Deal with the branches of a session that take turns by themselves, which only those on workers do."""
    start = count = left = 0
    while page := await console.exchange.acall(ReadBranches(session, start=start, count=_READ)):
        verbs = [verb_of(record.id) for record in page if record.seed.pool and record.state == "open"]
        outcomes = await console.exchange.acall_all(verbs)
        count += outcomes.count(Outcome.OK)
        left += outcomes.count(Outcome.ALREADY)
        start += len(page)
    return Done(word, f"/sessions/{session}/branches", count=count, left=left)


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
    act_route("/sessions/{session}/branches/{branch}/pause", pause),
    act_route("/sessions/{session}/branches/{branch}/resume", resume),
]
