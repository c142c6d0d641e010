"""A mail is sent to a branch, from the session itself."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request

from lion_broker.dashboard.access import Visitor
from lion_broker.dashboard.console import Console
from lion_broker.dashboard.reading import branch_steps
from lion_broker.errors import ConfigError
from lion_broker.mail.package import PackageCategory
from lion_broker.session.mail_request import request_to

from .acting import Done, Form, act_route

__all__ = ["ROUTES"]

_SHOWN: Final = 200
"""So much of what is said stands in the audit."""


async def send(request: Request, console: Console, visitor: Visitor, form: Form) -> Done:
    """Send what is said, or a tool or model by its name; who has sent it is written down first."""
    record = await console.session(request.path_params["session"])
    branch = await console.ask(branch_steps(record.id, request.path_params["branch"]))
    text = form.get("text").replace("\r\n", "\n")
    if not text.strip():
        raise ConfigError("The text is empty; say what is to be sent.")
    category = form.get("category") or PackageCategory.MESSAGE.value
    note = request_to(record.id, branch.id, category, text, visitor.name or None)
    said = f"session {record.id}, {category} {note.id}: {text[:_SHOWN]}"
    await console.note(visitor, "send mail", f"branch {branch.id}", said)
    await console.ask(note.send_steps(awaited=False))
    return Done("sent", f"/sessions/{record.id}/conversation?branch={branch.id}")


ROUTES = [act_route("/sessions/{session}/branches/{branch}/send", send)]
