"""What Prometheus scrapes of the namespace; behind the token, like everything here."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lion_broker.dashboard.console import console_of
from lion_broker.insight.metrics import CONTENT_TYPE

__all__ = ["ROUTES"]


async def metrics(request: Request) -> Response:
    """The metrics of the namespace and of this process, in Prometheus' text format."""
    return Response(await console_of(request).metrics.atext(), headers={"Content-Type": CONTENT_TYPE})


ROUTES = [Route("/metrics", metrics, methods=["GET"])]
