"""Dead letters in groups, by what they died of, each dealt with as a whole."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request

from lion_broker.core.numbers import counted
from lion_broker.dashboard.asked import text_asked
from lion_broker.dashboard.console import Console
from lion_broker.dashboard.pages import Page, page_routes
from lion_broker.dashboard.tables import Column, Row, Table
from lion_broker.dashboard.views.letters import NO_LETTERS
from lion_broker.insight.dead_groups import GROUPS, Group, Groups, group_steps
from lion_broker.mail.records import DeadLetter

from .dead import letter_sessions

__all__ = ["COLUMNS", "ROUTES"]

_LOOKED_AT: Final = 20_000
_TITLE: Final = "Dead letters by what they died of"
COLUMNS: Final = (
    Column("letters", "Letters", "number"),
    Column("reason", "Reason", "state"),
    Column("error", "Error", hint="The first line of the error, with # for numbers and <id> for ids"),
    Column("behaviour", "Behaviour"),
    Column("example", "Example", data_only=True),
    Column("first", "First", "moment"),
    Column("last", "Last", "moment"),
    Column("sessions", "Sessions", "number"),
    Column("session_ids", "Sessions", data_only=True),
    Column("newest", "Newest letter", data_only=True),
    Column("group", "Group", "code"),
)


async def groups(request: Request, console: Console) -> Page:
    """Groups of the dead letters of one session or all, of one reason or all, the largest first."""
    wanted = {name: text_asked(request, name) for name in ("session", "reason")}
    sessions = [record.id for record in await letter_sessions(console, wanted["session"])]

    def fits(letter: DeadLetter) -> bool:
        return wanted["reason"] in ("", letter.reason)

    found: Groups = await console.ask(group_steps(sessions, fits, _LOOKED_AT))
    rows = [_row(one, wanted) for one in found.groups]
    table = Table("groups", _TITLE, COLUMNS, rows, NO_LETTERS, note=_note(found), sorts=True, whole=True)
    return Page("deaths.html", _TITLE, "dead", (table,), {"wanted": wanted})


def _note(found: Groups) -> str:
    notes = [f"Looked at {counted(found.letters, 'letter')}; there are more."] if found.more else []
    notes += [f"Beyond the first {GROUPS} groups: {counted(found.others, 'letter')}."] if found.others else []
    return " ".join(notes)


def _row(group: Group, wanted: dict[str, str]) -> Row:
    kind = group.kind
    values = {
        "letters": group.count,
        "reason": kind.reason,
        "behaviour": kind.behaviour,
        "error": kind.error,
        "example": group.example,
        "first": group.first,
        "last": group.last,
        "sessions": group.touched,
        "session_ids": " ".join(group.sessions),
        "newest": group.newest,
        "group": kind.id,
    }
    link = f"/dead?group={kind.id}" + (f"&session={wanted['session']}" if wanted["session"] else "")
    return Row(values, {"letters": link, "error": link, "group": link}, kind.id)


ROUTES = page_routes("/dead/groups", groups)
