"""Stands before every page: refuses foreign hosts and pages, asks for the token, and has browsers be strict."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .access import COOKIE, Gate, Visitor, is_loopback

__all__ = ["Guard", "set_cookie", "visitor_of"]

_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_OPEN: Final = ("/static/", "/login")
_SAFE: Final = frozenset({"GET", "HEAD"})
_PASSED_ON: Final = ("forwarded", "x-forwarded-for", "x-real-ip")


class Guard:
    """Lets in who has the token, or, where there is none, who comes from this very machine."""

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self._app = app
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        refusal, cookie = self._look(connection)

        async def send_strictly(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                if cookie:
                    headers.append("set-cookie", cookie)
            await send(message)

        await (refusal or self._app)(scope, receive, send_strictly)

    def _look(self, connection: HTTPConnection) -> tuple[Response | None, str]:
        """Why a request is refused, if it is, and a cookie for who comes in without one."""
        headers, scope = connection.headers, connection.scope
        if not self._gate.is_called(headers.get("host", "")):
            return _refused(
                421,
                "This dashboard is not known by that host name. Name it with --allow-host, or"
                " dashboard(hosts=[...]), if it is yours.",
            ), ""
        if scope["method"] not in _SAFE and _is_foreign(headers, connection.url.netloc):
            return _refused(403, "Another site's page may change nothing here."), ""
        cookie = ""
        visitor = self._visitor(connection)
        if visitor is None and not self._gate.has_token and _is_at_hand(connection):
            visitor, value = self._gate.admit("", _address(connection))
            cookie = cookie_header(connection, value)
        if visitor is None and not _path(scope).startswith(_OPEN):
            return self._ask(connection), ""
        scope.setdefault("state", {})["visitor"] = visitor
        return None, cookie

    def _visitor(self, connection: HTTPConnection) -> Visitor | None:
        kind, _, token = connection.headers.get("authorization", "").partition(" ")
        address = _address(connection)
        if kind.lower() == "bearer" and self._gate.knows(token.strip()):
            return Visitor("", address, ambient=False)
        cookie = connection.cookies.get(COOKIE, "")
        if not self._gate.has_token and not _is_at_hand(connection):
            return None
        return self._gate.recall(cookie, address) if cookie else None

    def _ask(self, connection: HTTPConnection) -> Response:
        """Ask for the token: a person by a page, a program by its status."""
        if not self._gate.has_token:
            return _refused(
                403,
                "Without a token this dashboard is for this machine only. Set LION_BROKER_DASHBOARD_TOKEN"
                " (`lion-broker keygen` makes one).",
            )
        if "text/html" not in connection.headers.get("accept", ""):
            told = "The token is needed: Authorization: Bearer <LION_BROKER_DASHBOARD_TOKEN>."
            return PlainTextResponse(told, 401, {"WWW-Authenticate": "Bearer"})
        root, undone = connection.scope.get("root_path", ""), ""
        here, asked = _path(connection.scope), connection.url.query
        if connection.scope["method"] not in _SAFE:
            # What was to be done is not done later, without the page that it was chosen on.
            page = urlsplit(connection.headers.get("referer", ""))
            here, asked, undone = page.path.removeprefix(root) or "/", page.query, "&undone=1"
        place = quote(here + (f"?{asked}" if asked else ""), safe="/")
        return RedirectResponse(f"{root}/login?next={place}{undone}", 303)


def visitor_of(request: Request) -> Visitor | None:
    """Who asks; None only on the page that asks for the token."""
    visitor: Visitor | None = request.state.visitor
    return visitor


def set_cookie(request: Request, response: Response, value: str) -> None:
    """Have a browser show the cookie with each of its requests; an empty value has it forget."""
    response.headers.append("set-cookie", cookie_header(request, value))


def cookie_header(connection: HTTPConnection, value: str) -> str:
    """Return the header that sets the cookie, which no script can read and no other site's page can have sent."""
    path = connection.scope.get("root_path", "") or "/"
    secure = "; Secure" if connection.url.scheme == "https" else ""
    age = "" if value else "; Max-Age=0"
    return f"{COOKIE}={value}; Path={path}; HttpOnly; SameSite=Strict{secure}{age}"


def _path(scope: Scope) -> str:
    """The path below the place where the dashboard is mounted."""
    root, path = scope.get("root_path", ""), str(scope["path"])
    return path.removeprefix(root) or "/" if root else path


def _address(connection: HTTPConnection) -> str:
    return connection.client.host if connection.client else "unknown"


def _is_at_hand(connection: HTTPConnection) -> bool:
    """Whether a request comes from this machine, and was not passed on by a proxy on it."""
    here = connection.client is None or is_loopback(connection.client.host)
    return here and not any(name in connection.headers for name in _PASSED_ON)


def _is_foreign(headers: Headers, host: str) -> bool:
    """Whether a page of another origin has sent a request, as far as its browser says."""
    site = headers.get("sec-fetch-site", "same-origin")
    origin = headers.get("origin")
    elsewhere = origin is not None and urlsplit(origin).netloc.lower() != headers.get("host", host).lower()
    return elsewhere or site not in ("same-origin", "none")


def _refused(status: int, why: str) -> Response:
    return PlainTextResponse(why, status)
