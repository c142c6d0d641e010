"""The dashboard as a server of its own: beside the pages, probes that need no token."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from .console import Console
from .routes.metrics import scraped

__all__ = ["gateway"]


def gateway(pages: Starlette, *, open_metrics: bool = False) -> Starlette:
    """Return the application: the pages, `/livez` and `/readyz`, and with `open_metrics` `/metrics` without a token.

    It is live when it answers, and ready while the exchange has answered at its last look. Its lifespan is the pages'.
    """
    console: Console = pages.state.console
    pages.state.is_gateway = True

    async def live(request: Request) -> Response:
        return JSONResponse({"status": "live"})

    async def ready(request: Request) -> Response:
        console.pulse.wanted()
        reasons = [] if console.pulse.latest is not None else ["It has not heard from the exchange yet."]
        if console.pulse.lost:
            reasons = ["The exchange does not answer."]
        if console.lives.ended:
            reasons = ["It is stopping."]
        return JSONResponse(
            {"status": "not ready" if reasons else "ready", "reasons": reasons}, 503 if reasons else 200
        )

    async def metrics(request: Request) -> Response:
        return await scraped(console, request)

    @asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[None]:
        async with pages.router.lifespan_context(pages):
            console.pulse.wanted()
            yield

    probes = [Route("/livez", live), Route("/readyz", ready)]
    scrapes = [Route("/metrics", metrics)] if open_metrics else []
    return Starlette(routes=[*probes, *scrapes, Mount("/", app=pages)], lifespan=life)
