"""Mailboxes of all sessions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from starlette.requests import Request

from lion_broker.dashboard.arranging import is_order_asked
from lion_broker.dashboard.asked import following, number_asked, size_asked, text_asked
from lion_broker.dashboard.console import Console
from lion_broker.dashboard.pages import Page, page_routes
from lion_broker.dashboard.tables import Empty, Row, is_said
from lion_broker.dashboard.views.sessions import branch_row, branch_state, branch_table, default_branch, session_name
from lion_broker.mail.records import BranchRecord, SessionRecord
from lion_broker.mail.verbs import ReadBranches

__all__ = ["NO_SUCH_BRANCH", "ROUTES", "STATES", "Choice", "Gathered", "gather"]

_PAGE: Final = 100
_READ: Final = 500
_SESSIONS: Final = 20
_LOOKED_AT: Final = 10_000
STATES: Final = ("waiting", "working", "retrying", "paused", "idle", "local", "closed")
NOTHING: Final = Empty(
    "There are no branches. Mail that waits, is worked on or retried shows here; to see it move:",
    "lion-broker demo research --keep",
)
NO_SUCH_BRANCH: Final = Empty("No branch is like that.")


@dataclass(frozen=True, slots=True)
class _Met:
    """A branch on the way through all sessions: its session with that one's name, and its place there."""

    session: SessionRecord
    record: BranchRecord
    place: int


@dataclass(frozen=True, slots=True)
class Choice:
    """Which branches are wanted: those in a state, and those in which a name, an id or another text has some words."""

    state: str
    words: str

    @classmethod
    def asked(cls, request: Request) -> Choice:
        """What a request asks for."""
        return cls(text_asked(request, "state"), text_asked(request, "q"))

    @property
    def is_any(self) -> bool:
        """Whether anything is asked for."""
        return bool(self.state or self.words)

    def row(self, met: _Met) -> Row | None:
        """The row of a branch that is wanted; None for another."""
        if self.state and branch_state(met.record) != self.state:
            return None
        names = {met.session.id: session_name(met.session)}
        row = branch_row(met.session.id, met.record, names, default_branch(met.session))
        return row if is_said(row, self.words) else None


@dataclass(frozen=True, slots=True)
class Gathered:
    """Rows of branches; `more` is the query that goes on after them, `note` says that not all were looked at."""

    rows: list[Row]
    more: str = ""
    note: str = ""


async def mailboxes(request: Request, console: Console) -> Page:
    """Branches of all sessions, newest session first; `state` and `q` choose. A page looks at ten thousand at most."""
    choice = Choice.asked(request)
    ids = await console.session_ids()
    size, whole = size_asked(request, _PAGE), is_order_asked(request)
    found = await gather(request, console, ids, choice, None if whole else size)
    shape = branch_table("", (), of={}, empty=NO_SUCH_BRANCH if choice.is_any else NOTHING)
    table = replace(shape, name="mailboxes", rows=found.rows, next=found.more, note=found.note, whole=whole, size=size)
    return Page("mailboxes.html", "Mailboxes", "mailboxes", (table,), {"choice": choice, "states": STATES})


async def gather(
    request: Request, console: Console, ids: Sequence[str], choice: Choice, count: int | None = None
) -> Gathered:
    """Go through the branches of sessions until so many that are wanted are found; of ten thousand without a count."""
    at, start = text_asked(request, "at"), number_asked(request, "start", 0, 10**9)
    goes_on = count is not None and at in ids
    rows = list[Row]()
    looked_at = 0
    async for met in _meet(console, ids[ids.index(at) :] if goes_on else ids, start if goes_on else 0):
        if looked_at == _LOOKED_AT:
            more = following(request, at=met.session.id, start=met.place) if count is not None else ""
            return Gathered(rows, more, f"Looked at {_LOOKED_AT:,} branches; there are more.")
        looked_at += 1
        if (row := choice.row(met)) is not None:
            if len(rows) == count:
                return Gathered(rows, following(request, at=met.session.id, start=met.place))
            rows.append(row)
    return Gathered(rows)


async def _meet(console: Console, ids: Sequence[str], start: int) -> AsyncIterator[_Met]:
    """Go through the branches of sessions, from place `start` of the first on."""
    for first in range(0, len(ids), _SESSIONS):
        for session in await console.sessions(ids[first : first + _SESSIONS]):
            place = start if session.id == ids[0] else 0
            while page := await console.exchange.acall(ReadBranches(session.id, start=place, count=_READ)):
                for record in page:
                    yield _Met(session, record, place)
                    place += 1


ROUTES = page_routes("/mailboxes", mailboxes)
