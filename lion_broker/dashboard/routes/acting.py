"""What is common to everything that changes something: it is proven, written down, done, and told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from lion_broker.dashboard.access import Visitor
from lion_broker.dashboard.console import Console, console_of
from lion_broker.dashboard.guard import visitor_of

__all__ = ["Act", "Done", "Form", "act_route", "read_form"]

_MOST_BYTES: Final = 4 * 1024 * 1024
_MOST_FIELDS: Final = 5000


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form, in order; a name may come several times."""

    fields: tuple[tuple[str, str], ...]

    def get(self, name: str) -> str:
        """The first value of a name, or an empty text."""
        return next((value for key, value in self.fields if key == name), "")

    def all(self, name: str) -> list[str]:
        """All values of a name."""
        return [value for key, value in self.fields if key == name]


@dataclass(frozen=True, slots=True)
class Done:
    """What came of an act: a word of `told.html`, and to how many; `left` were not changed, `more` says do it again.

    `to` is the path to go to, unless the form names one.
    """

    word: str
    to: str
    count: int = 1
    left: int = 0
    more: bool = False


Act = Callable[[Request, Console, Visitor, Form], Awaitable[Done]]


def act_route(path: str, act: Act) -> Route:
    """Return the route of an act: POST only, with proof that it comes from a page of ours, never when read only."""

    async def endpoint(request: Request) -> Response:
        console = console_of(request)
        if console.read_only:
            raise HTTPException(403, "This dashboard is read only: nothing can be changed here.")
        form = await read_form(request)
        visitor = visitor_of(request)
        if visitor is None or not console.gate.is_proven(visitor, form.get("proof")):
            raise HTTPException(403, "This form is too old, or was not made by this page. Load the page again.")
        done = await act(request, console, visitor, form)
        return _tell(request, done, form.get("back"))

    return Route(path, endpoint, methods=["POST"])


def _tell(request: Request, done: Done, back: str) -> Response:
    """Answer a program with JSON, a browser with the page that it came from."""
    values = {"did": done.word, "count": str(done.count), "left": str(done.left), "more": str(int(done.more))}
    if "application/json" in request.headers.get("accept", ""):
        return JSONResponse({"did": done.word, "count": done.count, "left": done.left, "more": done.more})
    path = urlsplit(back if back.startswith("/") and not back.startswith(("//", "/\\")) else done.to)
    kept = [(name, value) for name, value in parse_qsl(path.query) if name not in values]
    query = urlencode([*kept, *values.items()])
    return RedirectResponse(f"{request.scope.get('root_path', '')}{path.path}?{query}", 303)


async def read_form(request: Request) -> Form:
    """Read the fields of a form that is not too large."""
    kind = request.headers.get("content-type", "application/x-www-form-urlencoded")
    if not kind.startswith("application/x-www-form-urlencoded"):
        raise HTTPException(415, "A form is needed: Content-Type application/x-www-form-urlencoded.")
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _MOST_BYTES:
            raise HTTPException(413, f"The form has more than {_MOST_BYTES:,} bytes.")
    try:
        fields = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except (ValueError, UnicodeDecodeError):
        raise HTTPException(400, "The form cannot be read, or has too many fields.") from None
    return Form(tuple((name, value.encode("utf-8", "replace").decode()) for name, value in fields))
