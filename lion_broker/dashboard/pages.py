"""From what a page says to what its visitor gets: HTML, or its tables as JSON or CSV."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from lion_broker.core.numbers import counted
from lion_broker.core.portable import one_line
from lion_broker.errors import ConfigError
from lion_broker.insight.durations import duration

from .arranging import arranged, sort_links
from .asked import SIZES, afresh
from .console import Console, console_of
from .guard import visitor_of
from .histories import PATIENCE_SECONDS
from .tables import Table, moment, to_csv

__all__ = ["HERE", "Page", "PageView", "environment", "page_routes", "patience", "render"]

HERE: Final = Path(__file__).parent
_JSON: Final = "application/json"
_CSV: Final = "text/csv"
_PROGRAMS_WAIT_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Page:
    """What a page says: its template and title, its tables, further values for the template and for JSON.

    `tab` is the place in the navigation that it belongs to.
    """

    template: str
    title: str
    tab: str
    tables: tuple[Table, ...] = ()
    context: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)


PageView = Callable[[Request, Console], Awaitable[Page]]


def page_routes(path: str, view: PageView) -> list[Route]:
    """Return the routes of a page: HTML at its path, JSON and CSV with a suffix; `Accept` chooses as well."""
    stem = path if path != "/" else "/overview"

    def endpoint(forced: str) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            page = await view(request, console_of(request))
            page = replace(page, tables=arranged(request, page.tables))
            return _respond(request, page, forced or _wanted(request))

        return answer

    return [
        Route(f"{stem}.json", endpoint(_JSON), methods=["GET"]),
        Route(f"{stem}.csv", endpoint(_CSV), methods=["GET"]),
        Route(path, endpoint(""), methods=["GET"]),
    ]


def patience(request: Request) -> float:
    """For how many seconds a page is waited for: people see what is there, programs want all."""
    is_program = request.url.path.endswith((".json", ".csv")) or bool(_wanted(request))
    return _PROGRAMS_WAIT_SECONDS if is_program else PATIENCE_SECONDS


def _wanted(request: Request) -> str:
    """The format that a program asks for; browsers, which take HTML, get that."""
    accepted = request.headers.get("accept", "")
    if "text/html" in accepted:
        return ""
    return next((kind for kind in (_JSON, _CSV) if kind in accepted), "")


def _respond(request: Request, page: Page, kind: str) -> Response:
    if kind == _JSON:
        return Response(to_json(_plain(page)), media_type=_JSON)
    if kind == _CSV:
        table = _chosen(page, request.query_params.get("table"))
        name = f'attachment; filename="{table.name}.csv"'
        return Response(to_csv(table), media_type=f"{_CSV}; charset=utf-8", headers={"Content-Disposition": name})
    return render(request, page)


def _plain(page: Page) -> dict[str, Any]:
    """A page as plain values: those of its only table, or of each by its name, and its further values."""
    if len(page.tables) == 1 and not page.values:
        return page.tables[0].plain()
    return {**page.values, **{table.name: table.plain() for table in page.tables}}


def _chosen(page: Page, name: str | None) -> Table:
    found = [table for table in page.tables if name in (None, table.name)]
    if not found:
        names = ", ".join(table.name for table in page.tables)
        raise ConfigError(f"This page has no such table; ?table= is one of: {names or 'none'}.")
    return found[0]


def render(request: Request, page: Page, status: int = 200) -> HTMLResponse:
    """Return a page as HTML."""
    visitor = visitor_of(request)
    console = console_of(request)
    root = request.scope.get("root_path", "")
    environment: Environment = request.app.state.environment
    html = environment.get_template(page.template).render(
        page=page,
        console=console,
        visitor=visitor,
        root=root,
        here=request.url.path.removeprefix(root) or "/",
        query=request.query_params,
        proof=visitor.proof if visitor else "",
        may_act=visitor is not None and not console.read_only,
        **page.context,
    )
    return HTMLResponse(html, status)


def environment() -> Environment:
    """Return what templates are read with: everything is escaped, and a name that is not there is an error."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "moment": moment,
        "span": duration,
        "number": number,
        "counted": counted,
        "short": short,
        "money": money,
        "line": one_line,
        "query": _query,
    }
    made.globals |= {"sort_links": sort_links, "afresh": afresh, "sizes": SIZES}
    return made


def number(value: Any) -> str:
    """Return a number with its thousands apart."""
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def money(dollars: float) -> str:
    """Return an amount of US dollars, with two digits that tell something at least: `$12.30`, `$0.0042`."""
    if dollars == 0 or dollars >= 0.1:
        return f"${dollars:,.2f}"
    return f"${dollars:.{1 - math.floor(math.log10(dollars))}f}" if dollars >= 1e-6 else "under $0.000001"


def short(identity: Any) -> str:
    """Return the end of a long id, which differs where its beginning, the time, does not."""
    text = str(identity)
    return text if len(text) <= 12 else f"…{text[-8:]}"


def _query(values: Mapping[str, Any]) -> str:
    given = {name: value for name, value in values.items() if value not in (None, "")}
    return f"?{urlencode(given)}" if given else ""
