"""Models and tools: what they may be asked now, and what was asked of them, in the newest sessions or in one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starlette.requests import Request

from lion_broker.dashboard.asked import text_asked
from lion_broker.dashboard.console import Console
from lion_broker.dashboard.histories import Known, Progress
from lion_broker.dashboard.pages import Page, page_routes, patience
from lion_broker.dashboard.reading import names_steps
from lion_broker.dashboard.views.limits import limit_table, wait_table
from lion_broker.dashboard.views.models import model_table, spend_table, tool_table, unpriced, wait_seconds
from lion_broker.dashboard.views.sessions import session_name
from lion_broker.insight.limits import LimitView, limits_steps
from lion_broker.mail.checks import is_id
from lion_broker.mail.records import SessionRecord
from lion_broker.telemetry.acts import Act

__all__ = ["ROUTES"]

_NEWEST: Final = 5
_CHOICE: Final = 50
_NAMED: Final = 50


async def models(request: Request, console: Console) -> Page:
    """What limits let through now, and what the logs of the newest five sessions tell, or those of one."""
    wanted = text_asked(request, "session")
    ids = (await console.session_ids())[:_CHOICE]
    choice = await console.sessions(ids)
    chosen = [await console.session(wanted)] if wanted else choice[:_NEWEST]
    read = await console.histories.read_all([record.id for record in chosen], seconds=patience(request))
    by_session = {
        record.id: (session_name(record), _acts(known)) for record, known in zip(chosen, read, strict=True) if known
    }
    acts = [act for _, found in by_session.values() for act in found]
    limits: tuple[LimitView, ...] = await console.ask(limits_steps())
    held, seconds = wait_seconds(acts)
    without = unpriced(acts, console.prices)
    context = {
        "wanted": wanted,
        "choice": [(record.id, session_name(record)) for record in choice],
        "reading": Progress.together([known.progress for known in read if known]),
        "held": held,
        "held_seconds": seconds,
        "has_prices": bool(console.prices.by_name),
        "without_price": without,
    }
    values = {"held_by_limits": held, "held_seconds": round(seconds, 3), "without_price": without}
    tables = (
        model_table(acts, console.prices),
        spend_table(by_session, console.prices),
        tool_table(acts),
        limit_table(limits),
        wait_table(limits, await _names(console, choice, limits)),
    )
    return Page("models.html", "Models", "models", tables, context, values)


def _acts(known: Known) -> list[Act]:
    stories = known.passages.history.stories.values()
    return [act for story in stories for attempt in story.attempts for act in attempt.acts]


async def _names(console: Console, choice: Sequence[SessionRecord], limits: Sequence[LimitView]) -> dict[str, str]:
    """What people call the sessions and branches that wait; of very many, of the first."""
    ends = [(one.session, one.branch) for limit in limits for one in limit.waits if is_id(one.session)][:_NAMED]
    known = {record.id: session_name(record) for record in choice}
    missing = list({session for session, _ in ends} - known.keys())
    known |= {record.id: session_name(record) for record in await console.sessions(missing)}
    names: dict[str, str] = await console.ask(names_steps(ends))
    return {**names, **known}


ROUTES = page_routes("/models", models)
