"""Mail that waits is withdrawn: one mail, or all that waits for a branch; it becomes dead letters."""

from __future__ import annotations

from starlette.requests import Request

from lion_broker.dashboard.access import Visitor
from lion_broker.dashboard.console import Console
from lion_broker.dashboard.reading import branch_steps
from lion_broker.session.withdrawing import TakenOut, take_out_steps

from .acting import Done, Form, act_route

__all__ = ["ROUTES"]


async def one(request: Request, console: Console, visitor: Visitor, form: Form) -> Done:
    """Withdraw one mail, wherever in its session it waits; `take_out_steps` writes down who did."""
    record = await console.session(request.path_params["session"])
    mail = request.path_params["mail"]
    steps = take_out_steps(record.id, [mail], reason=form.get("reason"), by=visitor.who)
    return _done(await console.ask(steps), f"/sessions/{record.id}/trace")


async def all_of_branch(request: Request, console: Console, visitor: Visitor, form: Form) -> Done:
    """Withdraw all mail that waits for a branch."""
    record = await console.session(request.path_params["session"])
    branch = await console.ask(branch_steps(record.id, request.path_params["branch"]))
    steps = take_out_steps(record.id, None, branch.id, reason=form.get("reason"), by=visitor.who)
    return _done(await console.ask(steps), f"/sessions/{record.id}/branches")


def _done(done: TakenOut, to: str) -> Done:
    return Done("withdrawn", to, done.count, len(done.left))


ROUTES = [
    act_route("/sessions/{session}/mail/{mail}/withdraw", one),
    act_route("/sessions/{session}/branches/{branch}/withdraw", all_of_branch),
]
