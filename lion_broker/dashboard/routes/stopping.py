"""What workers are at is stopped: a mail that is named, or the one that a branch is at."""

from __future__ import annotations

from starlette.requests import Request

from lion_broker.dashboard.access import Visitor
from lion_broker.dashboard.console import Console
from lion_broker.dashboard.reading import branch_steps
from lion_broker.session.stopping import stop_steps
from lion_broker.session.withdrawing import TakenOut

from .acting import Done, Form, act_route

__all__ = ["ROUTES"]


async def one(request: Request, console: Console, visitor: Visitor, form: Form) -> Done:
    """Stop a mail that a worker has in hand; `stop_steps` writes down who did."""
    record = await console.session(request.path_params["session"])
    steps = stop_steps(record.id, [request.path_params["mail"]], reason=form.get("reason"), by=visitor.who)
    return _done(await console.ask(steps), f"/sessions/{record.id}/trace")


async def of_branch(request: Request, console: Console, visitor: Visitor, form: Form) -> Done:
    """Stop the mail that a branch is at."""
    record = await console.session(request.path_params["session"])
    branch = await console.ask(branch_steps(record.id, request.path_params["branch"]))
    steps = stop_steps(record.id, None, branch.id, reason=form.get("reason"), by=visitor.who)
    return _done(await console.ask(steps), f"/sessions/{record.id}/branches")


def _done(done: TakenOut, to: str) -> Done:
    return Done("stopped", to, done.count, len(done.left))


ROUTES = [
    act_route("/sessions/{session}/mail/{mail}/stop", one),
    act_route("/sessions/{session}/branches/{branch}/stop", of_branch),
]
