"""Server-sent events: what happens in a session, and the pulse of the namespace.

A stream ends by itself after a minute and its browser goes on where it stood; so a server that hosts the dashboard
among other things can stop within that time. The gateway ends all streams at once.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from typing import Any

from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from lion_broker.dashboard.console import Console, console_of
from lion_broker.dashboard.live import HEARTBEAT_SECONDS, Busy, News, happened
from lion_broker.errors import LionError
from lion_broker.mail.checks import check
from lion_broker.mail.verbs import ReadEvents

__all__ = ["ROUTES"]

STREAM_SECONDS = 60.0
_AGAIN_MS = 1000
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


async def session_stream(request: Request) -> Response:
    """What happens in a session after `Last-Event-ID`, or `after`, or from now on."""
    console = console_of(request)
    record = await console.session(request.path_params["session"])
    after = request.headers.get("last-event-id") or request.query_params.get("after") or "$"
    check(ReadEvents(record.id, after))
    return await _stream(console, _told(console.lives.follow(record.id, after)))


async def pulse_stream(request: Request) -> Response:
    """The figures of the overview, each time they are read."""
    console = console_of(request)
    console.pulse.wanted()
    return await _stream(console, _beats(console))


async def _stream(console: Console, events: AsyncGenerator[bytes]) -> Response:
    """Begin a stream, so that what cannot begin is said by the status; it ends in time."""
    if console.lives.full:
        await events.aclose()
        return PlainTextResponse("As many watch already as are served.", 503, {"Retry-After": "5"})

    async def limited() -> AsyncGenerator[bytes]:
        end = time.monotonic() + STREAM_SECONDS
        try:
            with console.lives.seat():
                yield f"retry: {_AGAIN_MS}\n\n".encode()
                async for event in events:
                    yield event
                    if time.monotonic() > end:
                        break
        except Busy:
            yield _event("busy", {})
        except LionError:
            yield _event("lost", {})
        finally:
            await events.aclose()

    return StreamingResponse(limited(), media_type="text/event-stream", headers=_HEADERS)


async def _told(news: AsyncGenerator[News]) -> AsyncGenerator[bytes]:
    try:
        async for one in news:
            for event in _of_news(one):
                yield event
    finally:
        await news.aclose()


def _of_news(news: News) -> list[bytes]:
    if news.lost:
        return [_event("lost", {})]
    if not news.occurrences:
        return [_event("alive", {})]
    # Of what has gone before it could be told nothing is left but to read the page again.
    return [
        _event("gap", {}) if one.kind == "gap" else _event("happened", {"kind": one.kind, **one.fields}, one.id)
        for one in news.occurrences
    ]


async def _beats(console: Console) -> AsyncGenerator[bytes]:
    while not console.lives.ended:
        changed = console.pulse.changed.next
        told = await happened(changed, HEARTBEAT_SECONDS)
        console.pulse.wanted()
        if not told or not console.pulse.beats:
            yield _event("alive", {})
        elif console.pulse.lost:
            yield _event("lost", {})
        else:
            yield _event("beat", console.pulse.beats[-1])


def _event(kind: str, values: dict[str, Any], place: str = "") -> bytes:
    """An event as it goes over the line; JSON has no line feeds, so nothing in it ends the event."""
    named = f"id: {place}\n" if place else ""
    return f"{named}event: {kind}\ndata: ".encode() + to_json(values) + b"\n\n"


ROUTES = [
    Route("/sessions/{session}/live", session_stream, methods=["GET"]),
    Route("/live", pulse_stream, methods=["GET"]),
]
