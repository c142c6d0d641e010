"""Models and tools: what was asked of them, in the newest sessions or in one."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request

from lion_broker.dashboard.console import Console
from lion_broker.dashboard.pages import Page, page_routes
from lion_broker.dashboard.views.models import model_table, tool_table, wait_seconds
from lion_broker.dashboard.views.sessions import session_name
from lion_broker.telemetry.acts import Act

from .asked import text_asked

__all__ = ["ROUTES"]

_NEWEST: Final = 5
_CHOICE: Final = 50


async def models(request: Request, console: Console) -> Page:
    """What the logs of the newest five sessions tell, or those of one."""
    wanted = text_asked(request, "session")
    ids = (await console.session_ids())[:_CHOICE]
    choice = await console.sessions(ids)
    chosen = [await console.session(wanted)] if wanted else choice[:_NEWEST]
    acts: list[Act] = []
    whole = True
    for record in chosen:
        known = await console.histories.read(record.id)
        whole = whole and known.whole
        stories = known.passages.history.stories.values()
        acts += [act for story in stories for attempt in story.attempts for act in attempt.acts]
    held, seconds = wait_seconds(acts)
    context = {
        "wanted": wanted,
        "choice": [(record.id, session_name(record)) for record in choice],
        "newest": len(chosen),
        "whole": whole,
        "held": held,
        "held_seconds": seconds,
    }
    values = {"held_by_limits": held, "held_seconds": round(seconds, 3)}
    return Page("models.html", "Models", "models", (model_table(acts), tool_table(acts)), context, values)


ROUTES = page_routes("/models", models)
