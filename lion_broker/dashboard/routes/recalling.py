"""Mail becomes dead letters: what waits is withdrawn, what a worker is at is stopped; a mail, or what a branch has."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request

from lion_broker.dashboard.access import Visitor
from lion_broker.dashboard.console import Console
from lion_broker.dashboard.reading import branch_steps
from lion_broker.mail.exchange import Steps
from lion_broker.session.stopping import stop_steps
from lion_broker.session.withdrawing import TakenOut, take_out_steps

from .acting import Act, Done, Form, act_route

__all__ = ["ROUTES"]

Recall = Callable[..., Steps[TakenOut]]
"""Takes mails of a session that are named, or (None) those of a branch; writes down itself who did, and why."""


def of_mail(recall: Recall, word: str) -> Act:
    """Return the act on one mail, wherever in its session it is."""

    async def one(request: Request, console: Console, visitor: Visitor, form: Form) -> Done:
        record = await console.session(request.path_params["session"])
        steps = recall(record.id, [request.path_params["mail"]], reason=form.get("reason"), by=visitor.who)
        return _done(word, await console.ask(steps), f"/sessions/{record.id}/trace")

    return one


def of_branch(recall: Recall, word: str) -> Act:
    """Return the act on what a branch has: all that waits for it, or the mail that it is at."""

    async def all_of(request: Request, console: Console, visitor: Visitor, form: Form) -> Done:
        record = await console.session(request.path_params["session"])
        branch = await console.ask(branch_steps(record.id, request.path_params["branch"]))
        steps = recall(record.id, None, branch.id, reason=form.get("reason"), by=visitor.who)
        return _done(word, await console.ask(steps), f"/sessions/{record.id}/branches")

    return all_of


def _done(word: str, done: TakenOut, to: str) -> Done:
    return Done(word, to, done.count, len(done.left))


ROUTES = [
    act_route("/sessions/{session}/mail/{mail}/withdraw", of_mail(take_out_steps, "withdrawn")),
    act_route("/sessions/{session}/branches/{branch}/withdraw", of_branch(take_out_steps, "withdrawn")),
    act_route("/sessions/{session}/mail/{mail}/stop", of_mail(stop_steps, "stopped")),
    act_route("/sessions/{session}/branches/{branch}/stop", of_branch(stop_steps, "stopped")),
]
