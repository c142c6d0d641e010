"""The dashboard as an ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

from lion_broker.broker.connect import connect
from lion_broker.config import PREFIX, Settings
from lion_broker.errors import BrokerUnavailable, ConfigError, ItemNotFoundError, LionError
from lion_broker.insight.metrics import NamespaceMetrics
from lion_broker.insight.prices import read_prices
from lion_broker.mail.exchange import Exchange
from lion_broker.telemetry import logger

from .access import Gate
from .console import Console
from .guard import Guard
from .histories import Histories
from .live import Lives
from .pages import HERE, Page, environment, render
from .pulse import Pulse
from .routes import (
    audit,
    dead,
    dead_groups,
    document,
    entrance,
    find,
    mail,
    mailboxes,
    metrics,
    models,
    overview,
    pausing,
    recalling,
    sending,
    sessions,
    streams,
    workers,
)

__all__ = ["TOKEN_SETTING", "dashboard"]

log = logger("dashboard")

TOKEN_SETTING: Final = f"{PREFIX}DASHBOARD_TOKEN"
_WORDS: Final = {404: "There is no page of this address.", 405: "This address does not take such a request."}
_STATUS: Final[tuple[tuple[type[Exception], int], ...]] = (
    (BrokerUnavailable, 503),
    (ItemNotFoundError, 404),
    (ConfigError, 400),
    (LionError, 409),
)


def dashboard(
    exchange: Exchange | str | None = None,
    *,
    namespace: str | None = None,
    token: str | None = None,
    read_only: bool = False,
    hosts: Collection[str] = (),
    always: bool = False,
) -> Starlette:
    """Return the dashboard of a namespace, to be served by itself or mounted under any path of another application.

    `exchange` is an Exchange or a URL; left out, LION_BROKER_URL, else the embedded server. An exchange that is given
    stays open, and `namespace` is for one that is not. `token` lets people in; left out, LION_BROKER_DASHBOARD_TOKEN
    (or `_FILE`); without one only requests from this machine are answered, which is warned of. With `read_only` nothing
    can be changed. `hosts` are the names that it is called by beside localhost and, with a token, plain addresses.
    With `always` figures are read also while nobody looks. Raises ConfigError, ServerNotFound.
    """
    settings = Settings.load(namespace=namespace)
    if token is None and (secret := settings.secret_named(TOKEN_SETTING)) is not None:
        token = secret.get_secret_value()
    if token is None:
        log.warning("the dashboard has no token (%s): it answers requests from this machine only", TOKEN_SETTING)
    carrier = exchange if isinstance(exchange, Exchange) else connect(exchange, settings)
    owned = carrier is not exchange
    console = Console(
        carrier,
        getattr(carrier, "namespace", settings.namespace),
        Gate(token, frozenset(hosts)),
        read_only,
        Lives(carrier),
        Pulse(carrier, always=always),
        Histories(carrier),
        NamespaceMetrics(carrier, per_branch=settings.metrics_per_branch),
        read_prices(settings.model_prices),
    )
    app = Starlette(
        routes=_routes(),
        middleware=[Middleware(Guard, gate=console.gate)],
        exception_handlers={LionError: _failed, HTTPException: _failed},
        lifespan=_lifespan(console, owned),
    )
    app.state.console = console
    app.state.environment = environment()
    return app


def _routes() -> list[BaseRoute]:
    # What names more of a path goes before what names less.
    pages = (
        recalling,
        pausing,
        sending,
        dead_groups,
        overview,
        sessions,
        mail,
        streams,
        mailboxes,
        dead,
        workers,
        models,
        audit,
        find,
        metrics,
        document,
        entrance,
    )
    return [*(route for page in pages for route in page.ROUTES), Mount("/static", _Static(directory=HERE / "static"))]


class _Static(StaticFiles):
    """Files that browsers may keep, but ask about each time: an update shows at once."""

    def file_response(self, *args: object, **options: object) -> Response:
        """Answer with a file, or that it has not changed."""
        response = super().file_response(*args, **options)  # type: ignore[arg-type]
        response.headers["Cache-Control"] = "no-cache"
        return response


def _lifespan(console: Console, owned: bool):  # type: ignore[no-untyped-def]
    @asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            console.end()
            await console.pulse.stop()
            if owned:
                await console.exchange.aclose()

    return life


async def _failed(request: Request, error: Exception) -> Response:
    """Say what went wrong, in the form that was asked for."""
    if isinstance(error, HTTPException):
        status, text = error.status_code, _WORDS.get(error.status_code, error.detail)
    else:
        status, text = next(code for kind, code in _STATUS if isinstance(error, kind)), str(error)
    if "text/html" not in request.headers.get("accept", "") or request.url.path.endswith((".json", ".csv")):
        return JSONResponse({"error": type(error).__name__, "message": text}, status)
    context = {"status": status, "text": text, "again": status == 503}
    return render(request, Page("error.html", "Something went wrong", "", context=context), status)
