"""Dead letters: what could not be delivered or applied, why, and what to do about it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, Final

from pydantic_core import from_json
from starlette.requests import Request

from lion_broker.core.numbers import counted
from lion_broker.dashboard.access import Visitor
from lion_broker.dashboard.arranging import is_order_asked
from lion_broker.dashboard.asked import following, size_asked, text_asked
from lion_broker.dashboard.console import Console
from lion_broker.dashboard.pages import Page, page_routes
from lion_broker.dashboard.reading import find_letter_steps, names_steps
from lion_broker.dashboard.tables import Row, Table
from lion_broker.dashboard.views.letters import (
    NO_SUCH_LETTER,
    item_text,
    letter_fields,
    letter_row,
    letter_table,
)
from lion_broker.dashboard.views.sessions import default_branch, session_name
from lion_broker.dashboard.views.words import with_words
from lion_broker.errors import ConfigError, ItemNotFoundError
from lion_broker.insight.dead_groups import Behaviours
from lion_broker.insight.dead_reasons import MEANINGS
from lion_broker.insight.preview import preview_of
from lion_broker.mail.checks import is_id
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import LAST, START, DeadLetter, SessionRecord, is_after
from lion_broker.mail.verbs import Drop, Exhume, ReadDead
from lion_broker.messages.written import message_of
from lion_broker.session.session import Session

from .acting import Done, Form, act_route

__all__ = ["ROUTES", "letter_sessions"]

_PAGE: Final = 100
_READ: Final = 500
_PIECE: Final = 100
_MOST: Final = 5000
"""Letters that one act takes; of more it says so."""
_SESSIONS: Final = 1000
_LOOKED_AT: Final = 20_000
_NAMED: Final = 100
_ROWS: Final = 12
"""Rows of the field in which a letter is edited, at most; a short one takes no more than it needs."""
_ROW: Final = 60
_TERMS: Final = ("session", "reason", "branch", "group", "q")

Found = tuple[str, DeadLetter]


async def dead(request: Request, console: Console) -> Page:
    """Dead letters of one session or all, of one reason, branch or group or all, with some words, a page at a time.

    In the order of a column they are put all together, of very many the first twenty thousand.
    """
    wanted = {name: text_asked(request, name) for name in _TERMS}
    chosen = await letter_sessions(console, wanted["session"])
    letters = _in_order if is_order_asked(request) else _in_turn
    table, met = await letters(request, console, chosen, wanted)
    total = sum(record.counters["dead"] for record in chosen)
    if any(wanted.values()) and total:
        table = replace(table, empty=NO_SUCH_LETTER)
    reasons = sorted(met | set(filter(None, [wanted["reason"]])))
    context = {
        "total": total,
        "wanted": wanted,
        "reasons": reasons,
        "chosen": [(one.id, session_name(one), one.counters["dead"]) for one in chosen[:_NAMED]],
        "meanings": MEANINGS,
    }
    return Page("dead.html", "Dead letters", "dead", (table,), context)


async def _in_turn(
    request: Request, console: Console, chosen: list[SessionRecord], wanted: dict[str, str]
) -> tuple[Table, set[str]]:
    """A page of letters as they come, and the reasons that were met."""
    size, more, found = size_asked(request, _PAGE), "", list[Found]()
    async for one in _letters(console, chosen, wanted, text_asked(request, "after")):
        if len(found) == size:
            more = following(request, after="/".join((found[-1][0], found[-1][1].id)))
            break
        found.append(one)
    names = await console.ask(names_steps(_ends(found), map(default_branch, chosen)))
    table = replace(letter_table(found, names, more), sorts=True, size=size)
    return table, {letter.reason for _, letter in found}


async def _in_order(
    request: Request, console: Console, chosen: list[SessionRecord], wanted: dict[str, str]
) -> tuple[Table, set[str]]:
    """All letters, of which a page is cut out once they are in order, and their reasons."""
    rows, names, piece = list[Row](), dict[str, str](), list[Found]()
    defaults = frozenset(map(default_branch, chosen))

    async def add() -> None:
        # A row is small; the letters, with their mail, are let go of a piece at a time.
        nonlocal names
        names |= await console.ask(names_steps((end for end in _ends(piece) if end[1] not in names), defaults))
        rows.extend(letter_row(session, letter, names) for session, letter in piece)
        piece.clear()

    async for one in _letters(console, chosen, wanted, ""):
        piece.append(one)
        if len(piece) == _READ:
            await add()
    await add()
    there = sum(record.counters["dead"] for record in chosen)
    note = f"Looked at {_LOOKED_AT:,} letters; there are more." if there > _LOOKED_AT else ""
    shape = letter_table((), {})
    table = replace(shape, rows=rows, note=note, sorts=True, whole=True, size=size_asked(request, _PAGE))
    return table, {row.values["reason"] for row in rows}


async def letter(request: Request, console: Console) -> Page:
    """One letter: what it says, why it is dead, who has tried it, and what led to it."""
    record = await console.session(request.path_params["session"])
    found = await console.ask(find_letter_steps(record.id, request.path_params["letter"]))
    names = await console.ask(names_steps(_ends([(record.id, found)]), [default_branch(record)]))
    fields, text = letter_fields(found, names), item_text(found)
    table = letter_table([(record.id, found)], names)
    context = {
        "session": record,
        "session_name": session_name(record),
        "letter": found,
        "fields": fields,
        "text": text,
        "rows": min(_ROWS, max(_ROWS // 3, text.count("\n") + 1 + len(text) // _ROW)),
        "meaning": MEANINGS.get(found.reason, ""),
    }
    return Page("letter.html", f"Dead letter {found.id}", "dead", (table,), context, {"letter": fields})


async def letter_sessions(console: Console, wanted: str) -> list[SessionRecord]:
    """The sessions that have dead letters, newest first; one that is named also without."""
    if wanted:
        return [await console.session(wanted)]
    ids = await console.session_ids()
    return [record for record in await console.sessions(ids[:_SESSIONS]) if record.counters["dead"]]


async def _letters(
    console: Console, sessions: list[SessionRecord], wanted: dict[str, str], after: str
) -> AsyncIterator[Found]:
    """Letters that match, session by session, after a place (`session/letter`); of very many the first only."""
    session, _, place = after.partition("/")
    ids = [record.id for record in sessions]
    if session in ids:
        ids = ids[ids.index(session) :]
    looked_at, behaviours = 0, Behaviours()
    for one in ids:
        at = place if one == session and place else START
        while page := await console.exchange.acall(ReadDead(one, at, _READ)):
            at = page[-1].id
            looked_at += len(page)
            if group := wanted.get("group"):
                await console.ask(behaviours.learn_steps(one, page))
            for found in page:
                if _matches(found, wanted) and (not group or behaviours.kind_of(one, found).id == group):
                    yield one, found
            if looked_at > _LOOKED_AT:
                return


def _matches(found: DeadLetter, wanted: dict[str, str]) -> bool:
    is_meant = wanted.get("reason", "") in ("", found.reason) and wanted.get("branch", "") in ("", found.branch)
    low = wanted.get("q", "").casefold()
    if not is_meant or not low:
        return is_meant
    mail = found.mail
    told = (found.id, found.detail, found.error, *((mail.id, preview_of(mail.body)) if mail else ()))
    return any(low in text.casefold() for text in told)


def _ends(found: list[Found]) -> list[tuple[str, str]]:
    ends = [(session, letter.branch) for session, letter in found]
    return ends + [(session, letter.mail.header.sender) for session, letter in found if letter.mail]


async def retry(request: Request, console: Console, visitor: Visitor, form: Form) -> Done:
    """Send letters again: those that are ticked, or all that match."""
    return await _deal(console, visitor, form, "retry dead letters", "retried")


async def drop(request: Request, console: Console, visitor: Visitor, form: Form) -> Done:
    """Remove letters for good: those that are ticked, or all that match."""
    return await _deal(console, visitor, form, "drop dead letters", "dropped")


async def _deal(console: Console, visitor: Visitor, form: Form, what: str, word: str) -> Done:
    by_session, more = await _chosen(console, form)
    done = left = 0
    for session, letters in by_session.items():
        await console.note(visitor, what, f"session {session}", _told(letters, form))
        for first in range(0, len(letters), _PIECE):
            piece = tuple(letters[first : first + _PIECE])
            verb = Exhume(session, piece) if word == "retried" else Drop(session, piece)
            words = await console.exchange.acall(verb)
            done += sum(one is Outcome.OK for one in words)
            left += sum(one is not Outcome.OK for one in words)
    return Done(word, "/dead", done, left, more)


async def _chosen(console: Console, form: Form) -> tuple[dict[str, list[str]], bool]:
    """The letters of a form by session, and whether there are more of them than one act takes."""
    by_session: dict[str, list[str]] = {}
    if form.get("scope") != "matching":
        for key in form.all("key")[:_MOST]:
            session, _, one = key.partition("/")
            if not is_id(session):
                raise ConfigError(f"{key[:80]!r} names no dead letter.")
            by_session.setdefault(session, []).append(one)
        if not by_session:
            raise ConfigError("No dead letter is ticked. Tick some, or choose all that match.")
        return by_session, False
    wanted = {name: form.get(name) for name in _TERMS}
    last = form.get("until") or LAST
    count = 0
    async for session, found in _letters(console, await letter_sessions(console, wanted["session"]), wanted, ""):
        if is_after(found.id, last):
            continue
        if count == _MOST:
            return by_session, True
        by_session.setdefault(session, []).append(found.id)
        count += 1
    return by_session, False


def _told(letters: list[str], form: Form) -> str:
    if form.get("scope") == "matching":
        terms = [f"{'words' if name == 'q' else name} {form.get(name)}" for name in _TERMS[1:] if form.get(name)]
        return f"{counted(len(letters), 'letter')}: all {' and '.join(terms)}".strip()
    return f"{len(letters)}: {', '.join(letters[:20])}{' …' if len(letters) > 20 else ''}"


async def edit(request: Request, console: Console, visitor: Visitor, form: Form) -> Done:
    """Send another item instead of what a letter holds."""
    record = await console.session(request.path_params["session"])
    found = await console.ask(find_letter_steps(record.id, request.path_params["letter"]))
    item = _item(form.get("item"), found)
    await console.note(visitor, "edit dead letter", f"session {record.id}", found.id)
    opened = await Session.aopen(record.id, exchange=console.exchange)
    await opened.aedit_dead_letter(found, item)
    return Done("edited", f"/dead?session={record.id}")


def _item(text: str, found: DeadLetter) -> Any:
    """What goes instead: a message with other words and all else as it was, or what the text says in JSON."""
    if found.mail is None:
        raise ItemNotFoundError("This letter is no mail that could be edited. Drop it, or send a new mail.")
    text = text.replace("\r\n", "\n")
    if found.mail.header.category == "message" and (changed := with_words(found.mail.item(), text)) is not None:
        return message_of(changed) if isinstance(changed, dict) else changed
    try:
        return from_json(text)
    except ValueError as error:
        raise ConfigError(f"A {found.mail.header.category} item is JSON, and this is none: {error}.") from None


ROUTES = [
    act_route("/dead/retry", retry),
    act_route("/dead/drop", drop),
    *page_routes("/dead", dead),
    act_route("/dead/{session}/{letter}/edit", edit),
    *page_routes("/dead/{session}/{letter}", letter),
]
