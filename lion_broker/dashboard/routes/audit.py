"""What people have done here."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request

from lion_broker.dashboard.arranging import is_order_asked
from lion_broker.dashboard.asked import following, size_asked, text_asked
from lion_broker.dashboard.console import Console
from lion_broker.dashboard.pages import Page, page_routes
from lion_broker.dashboard.tables import Column, Empty, Order, Row, Table, is_said
from lion_broker.errors import ConfigError
from lion_broker.mail.checks import check
from lion_broker.mail.records import AuditEntry
from lion_broker.mail.verbs import ReadAudit

__all__ = ["ROUTES"]

_PAGE: Final = 100
_READ: Final = 500
NOTHING: Final = Empty(
    "Nobody has changed anything yet. What is retried, dropped, paused or drained, here or by a command, shows here."
)
NONE_LIKE_THAT: Final = Empty("No entry has these words.")
_NEWEST: Final = Order("at", descending=True)
COLUMNS: Final = (
    Column("at", "When", "moment"),
    Column("who", "Who"),
    Column("what", "Did what"),
    Column("target", "To what", "code"),
    Column("detail", "More"),
    Column("id", "Entry", "code"),
)


async def audit(request: Request, console: Console) -> Page:
    """Entries of the audit, newest first; `q` finds those in which something has these words.

    In the order of a column all of them are read: no more than ten thousand are kept.
    """
    words, before = text_asked(request, "q"), text_asked(request, "before")
    size, whole = size_asked(request, _PAGE), is_order_asked(request)
    before = "" if whole else before
    try:
        check(ReadAudit(before, _READ))
    except ConfigError:
        before = ""
    rows, more = list[Row](), ""
    while found := await console.exchange.acall(ReadAudit(before, _READ if words or whole else size + 1)):
        wanted = [row for row in map(_row, found) if is_said(row, words)]
        rows += wanted
        before = found[-1].id
        if len(rows) > size and not whole:
            rows = rows[:size]
            more = following(request, before=rows[-1].values["id"])
            break
    empty = NONE_LIKE_THAT if words else NOTHING
    table = Table("audit", "Audit", COLUMNS, rows, empty, more, sorts=True, whole=whole, natural=_NEWEST, size=size)
    return Page("audit.html", "Audit", "audit", (table,), {"words": words})


def _row(one: AuditEntry) -> Row:
    return Row({name: getattr(one, name) for name in ("at", "who", "what", "target", "detail", "id")})


ROUTES = page_routes("/audit", audit)
