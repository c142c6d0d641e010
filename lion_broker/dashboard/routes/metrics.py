"""What Prometheus scrapes of the namespace; behind the token, like everything here."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lion_broker.dashboard.console import Console, console_of

__all__ = ["ROUTES", "scraped"]


async def scraped(console: Console, request: Request) -> Response:
    """Return the metrics in the format that is asked for: OpenMetrics, or Prometheus' own."""
    text, kind = await console.metrics.apage(", ".join(request.headers.getlist("accept")))
    return Response(text, headers={"Content-Type": kind, "Vary": "Accept"})


async def metrics(request: Request) -> Response:
    """The metrics of the namespace and of this process."""
    return await scraped(console_of(request), request)


ROUTES = [Route("/metrics", metrics, methods=["GET"])]
