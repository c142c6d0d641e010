"""What people have done here."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request

from lion_broker.dashboard.console import Console
from lion_broker.dashboard.pages import Page, page_routes
from lion_broker.dashboard.tables import Column, Empty, Row, Table
from lion_broker.errors import ConfigError
from lion_broker.mail.checks import check
from lion_broker.mail.verbs import ReadAudit

from .asked import following, text_asked

__all__ = ["ROUTES"]

_PAGE: Final = 100
NOTHING: Final = Empty(
    "Nobody has changed anything from here yet. What is retried, dropped, paused or drained shows here."
)
COLUMNS: Final = (
    Column("at", "When", "moment"),
    Column("who", "Who"),
    Column("what", "Did what"),
    Column("target", "To what", "code"),
    Column("detail", "More"),
    Column("id", "Entry", "code"),
)


async def audit(request: Request, console: Console) -> Page:
    """Entries of the audit, newest first."""
    verb = ReadAudit(text_asked(request, "before"), _PAGE)
    try:
        check(verb)
    except ConfigError:
        verb = ReadAudit(count=_PAGE)
    found = await console.exchange.acall(verb)
    rows = [
        Row({"at": one.at, "who": one.who, "what": one.what, "target": one.target, "detail": one.detail, "id": one.id})
        for one in found
    ]
    more = following(request, before=found[-1].id) if len(found) == _PAGE else ""
    return Page("audit.html", "Audit", "audit", (Table("audit", "Audit", COLUMNS, rows, NOTHING, more),))


ROUTES = page_routes("/audit", audit)
