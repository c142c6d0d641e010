"""The first page: how the whole is doing."""

from __future__ import annotations

from dataclasses import replace

from starlette.requests import Request

from lion_broker.dashboard.console import Console
from lion_broker.dashboard.pages import Page, page_routes
from lion_broker.dashboard.views.notices import notices
from lion_broker.dashboard.views.sessions import session_table

__all__ = ["ROUTES"]

_NEWEST = 8


async def overview(request: Request, console: Console) -> Page:
    """Totals and rates of the namespace, its newest sessions, and what needs somebody."""
    console.pulse.wanted()
    beat = console.pulse.latest
    if beat is None or console.pulse.lost:
        beat = await console.pulse.look()
    ids = await console.session_ids()
    # The newest are shown, whatever their figures: there is nothing to sort.
    newest = replace(session_table(await console.sessions(ids[:_NEWEST])), sorts=False)
    needs = [notice.text for notice in notices(beat.overview)]
    values = {
        "needs": needs,
        "beat": beat.plain(),
        "exchange": console.exchange.url,
        "profile": console.exchange.profile,
    }
    context = {
        "beat": beat,
        "beats": list(console.pulse.beats),
        "more": len(ids) > _NEWEST,
        "needs": notices(beat.overview),
    }
    return Page("overview.html", "Overview", "overview", (newest,), context, values)


ROUTES = page_routes("/", overview)
