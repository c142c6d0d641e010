"""Finds what somebody has a name or an id of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request

from lion_broker.dashboard.asked import text_asked
from lion_broker.dashboard.console import Console
from lion_broker.dashboard.pages import Page, page_routes, patience
from lion_broker.dashboard.reading import find_letter_steps
from lion_broker.dashboard.tables import Column, Empty, Row, Table
from lion_broker.dashboard.views.sessions import branch_name, branch_names, session_name
from lion_broker.errors import ItemNotFoundError
from lion_broker.insight.views import Passage
from lion_broker.mail.checks import is_id
from lion_broker.mail.records import SessionRecord
from lion_broker.mail.verbs import ReadBranches

__all__ = ["ROUTES"]

_SESSIONS: Final = 500
_BY_NAME: Final = 50
_BRANCHES: Final = 1000
_BY_MAIL: Final = 5
_MOST: Final = 50
_LONGEST: Final = 80
_FEWEST_LETTERS: Final = 3
_ID_PART: Final = re.compile(r"[0-9a-f-]{6,36}")
COLUMNS: Final = (
    Column("kind", "What"),
    Column("name", "Name"),
    Column("state", "State", "state", "Where a mail stands now.", rare=True),
    Column("sent", "Sent", "moment", rare=True),
    Column("sender", "From", rare=True),
    Column("recipient", "To", rare=True),
    Column("session", "Session"),
    Column("id", "Id", "code"),
)


async def find(request: Request, console: Console) -> Page:
    """Sessions and branches by name or id, dead letters by id, mails by id or words; among the newest sessions."""
    wanted = text_asked(request, "q")
    rows: list[Row] = []
    if wanted:
        records = await console.sessions((await console.session_ids())[:_SESSIONS])
        rows += [_session(one) for one in records if _is_meant(wanted, one.id, session_name(one))]
        rows += await _branches(console, records, wanted)
        rows += await _letters(console, records, wanted)
        rows += await _mails(console, records, wanted, patience(request))
    looked = (
        "sessions and branches by a name or id among the newest, mails by their id or the beginning of what they say"
    )
    empty = Empty(f"Nothing that is called “{wanted[:60]}” was found: {looked}.")
    table = Table("found", "Found", COLUMNS, rows[:_MOST], empty)
    return Page("find.html", "Find", "", (table,), {"wanted": wanted})


def _is_meant(wanted: str, identity: str, name: str) -> bool:
    low = wanted.lower()
    return identity.startswith(low) or identity.endswith(low.lstrip("…")) or low in name.lower()


def _session(record: SessionRecord) -> Row:
    home = f"/sessions/{record.id}"
    return Row(_values("session", session_name(record), record.id, record), {"name": home, "id": home})


def _values(kind: str, name: str, identity: str, record: SessionRecord, **told: Any) -> dict[str, Any]:
    """What a row says: of mail more than of anything else."""
    first = {"kind": kind, "name": name, "id": identity, "session": session_name(record)}
    return {**first, **{one.name: told.get(one.name) for one in COLUMNS if one.name not in first}}


async def _branches(console: Console, records: list[SessionRecord], wanted: str) -> list[Row]:
    """Branches by id in all of these sessions, by name in the newest of them."""
    rows = []
    verbs = [ReadBranches(one.id, ids=(wanted.lower(),)) for one in records] if is_id(wanted.lower()) else []
    by_id = await console.exchange.acall_all(verbs) if verbs else []
    for record, page in zip(records, by_id, strict=bool(verbs)) if verbs else ():
        rows += [_branch(record, one.id, branch_name(one)) for one in page if one.id != record.id]
    for record in records[:_BY_NAME]:
        found = await console.exchange.acall(ReadBranches(record.id, count=_BRANCHES))
        named = [one for one in found if _is_meant(wanted, one.id, one.seed.name)]
        rows += [_branch(record, one.id, branch_name(one)) for one in named if one.id != wanted.lower()]
        if len(rows) >= _MOST:
            break
    return rows


def _branch(record: SessionRecord, branch: str, name: str) -> Row:
    home = f"/sessions/{record.id}/conversation?branch={branch}"
    return Row(_values("branch", name, branch, record), {"name": home, "id": home, "session": f"/sessions/{record.id}"})


async def _letters(console: Console, records: list[SessionRecord], wanted: str) -> list[Row]:
    """The dead letter with an id, which is unique within its session."""
    rows = []
    for record in records:
        if not record.counters["dead"]:
            continue
        try:
            letter = await console.ask(find_letter_steps(record.id, wanted))
        except ItemNotFoundError:
            continue
        home = f"/dead/{record.id}/{letter.id}"
        values = _values("dead letter", letter.reason, letter.id, record, state="dead")
        rows.append(Row(values, {"name": home, "id": home, "session": f"/sessions/{record.id}"}))
    return rows


async def _mails(console: Console, records: list[SessionRecord], wanted: str, seconds: float) -> list[Row]:
    """Mails by the beginning or end of their id, or by words in the beginning of what they say, in the newest sessions.

    Newest first.
    """
    part, words = wanted.lower().lstrip("…"), wanted.casefold()
    is_id_part = _ID_PART.fullmatch(part) is not None
    if not is_id_part and len(words) < _FEWEST_LETTERS:
        return []
    rows = list[Row]()
    newest = records[:_BY_MAIL]
    read = await console.histories.read_all([record.id for record in newest], seconds=seconds)
    for record, known in zip(newest, read, strict=True):
        if known is None:
            continue
        for mail, story in sorted(known.passages.history.stories.items(), reverse=True):
            named = is_id_part and (mail.startswith(part) or mail.endswith(part))
            if len(rows) < _MOST and (named or words in story.text.casefold()):
                rows.append(_mail(record, known.passages.of(story), branch_names(known.passages, record)))
    return rows


def _mail(record: SessionRecord, one: Passage, names: Mapping[str, str]) -> Row:
    home = f"/sessions/{record.id}/trace?mail={one.mail}"
    sender, recipient = (names.get(end, end) for end in (one.sender, one.recipient))
    told = {"state": one.state, "sent": one.sent, "sender": sender, "recipient": recipient}
    values = _values("mail", one.text[:_LONGEST] or one.category, one.mail, record, **told)
    return Row(values, {"name": home, "id": home, "session": f"/sessions/{record.id}"})


ROUTES = page_routes("/find", find)
