"""What there is to ask for, as a document for programs."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lion_broker.dashboard.openapi import openapi_document

__all__ = ["ROUTES"]


async def document(request: Request) -> Response:
    """The OpenAPI document of the dashboard, as it is mounted here."""
    probes = bool(getattr(request.app.state, "is_gateway", False))
    return JSONResponse(openapi_document(request.scope.get("root_path", ""), probes=probes))


ROUTES = [Route("/openapi.json", document, methods=["GET"])]
