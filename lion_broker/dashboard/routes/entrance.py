"""Coming in with the token, and leaving."""

from __future__ import annotations

from html import escape
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from lion_broker.dashboard.console import console_of
from lion_broker.dashboard.guard import set_cookie
from lion_broker.dashboard.pages import Page, render

from .acting import read_form

__all__ = ["ROUTES"]

_ON_THE_WAY: Final = (
    '<!doctype html><meta charset="utf-8"><link rel="icon" href="{icon}"><title>lion-broker</title>'
    '<meta http-equiv="refresh" content="0; url={target}"><p><a href="{target}">Go on</a></p>'
)


async def entrance(request: Request) -> Response:
    """Ask for the token; what follows `#` in the address, which browsers never send, fills the form."""
    return _ask(request, "", 200)


async def come_in(request: Request) -> Response:
    """Take the token and let the visitor in."""
    form = await read_form(request)
    gate = console_of(request).gate
    if not gate.knows(form.get("token").strip()):
        return _ask(request, "That is not the token.", 403)
    address = request.client.host if request.client else "unknown"
    _, cookie = gate.admit(form.get("name"), address)
    # A page in between, since a browser that came from elsewhere would not send the cookie along a redirect.
    root = request.scope.get("root_path", "")
    target = escape(root + _safe(form.get("next")), quote=True)
    response = HTMLResponse(_ON_THE_WAY.format(icon=escape(f"{root}/static/mark.svg", quote=True), target=target))
    set_cookie(request, response, cookie)
    return response


async def leave(request: Request) -> Response:
    """Forget the visitor."""
    response = RedirectResponse(f"{request.scope.get('root_path', '')}/login", 303)
    set_cookie(request, response, "")
    return response


def _ask(request: Request, wrong: str, status: int) -> Response:
    undone = request.query_params.get("undone") == "1"
    context = {"wrong": wrong, "undone": undone, "next": _safe(request.query_params.get("next", "/"))}
    return render(request, Page("login.html", "Sign in", "", context=context), status)


def _safe(path: str) -> str:
    """A path of this dashboard; anything else is its first page."""
    fits = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if fits else "/"


ROUTES = [
    Route("/login", entrance, methods=["GET"]),
    Route("/login", come_in, methods=["POST"]),
    Route("/leave", leave, methods=["POST"]),
]
