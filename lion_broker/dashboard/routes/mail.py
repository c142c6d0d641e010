"""The mail of one session: who mails whom, by time, and what happened to one of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lion_broker.core.numbers import counted
from lion_broker.core.portable import readable
from lion_broker.dashboard.arranging import is_order_asked
from lion_broker.dashboard.asked import following, number_asked, size_asked, text_asked
from lion_broker.dashboard.console import Console, console_of
from lion_broker.dashboard.histories import Known
from lion_broker.dashboard.pages import Page, page_routes, patience
from lion_broker.dashboard.reading import mail_steps
from lion_broker.dashboard.tables import Empty, Table
from lion_broker.dashboard.views.flow import draw_flow, flow_table
from lion_broker.dashboard.views.lanes import draw_lanes, last_moment, mail_table, moment_sent
from lion_broker.dashboard.views.sessions import branch_names, branch_state
from lion_broker.dashboard.views.waterfall import draw_trace, span_table
from lion_broker.dashboard.window import Window, Zoom, window_asked, zoom_of
from lion_broker.errors import ItemNotFoundError
from lion_broker.insight.flow import flow_of
from lion_broker.insight.lanes import lanes_of
from lion_broker.insight.overview import worker_views
from lion_broker.insight.passages import Passages
from lion_broker.insight.reasons import Reason, poisoned, reason_of
from lion_broker.insight.trace import trace_of
from lion_broker.insight.views import Flow, Lanes, Passage, Trace
from lion_broker.mail.checks import is_id
from lion_broker.mail.records import SessionRecord
from lion_broker.mail.verbs import ReadBranches, ReadWorkers, Verb

from .sessions import session_page

__all__ = ["ROUTES"]

_EDGES = 200
_LONGEST = 100_000
_LANES = 80
_MAILS = 100
_IN_WINDOW = 200
_SORTED = 5000
NO_SUCH_MAIL = Empty("No mail is like that, among those that were read.")
NONE_THEN = Empty("No mail was on its way then.")
_STATES = ("waiting", "working", "applied", "retrying", "delayed", "dead", "sent", "gone")


async def flow(request: Request, console: Console) -> Page:
    """Who mails whom."""
    record = await console.session(request.path_params["session"])
    known = await console.histories.read(record.id, seconds=patience(request))
    found = flow_of(known.passages)
    names = {**found.names, **branch_names(known.passages, record)}
    shown = type(found)({one: names[one] for one in found.names}, found.edges)
    table = _ways(request, shown, known.progress.note)
    states = {one: branch_state(kept) for one, kept in known.passages.history.records.items() if one != record.id}
    return await session_page(
        console, record, "flow.html", "Flow", "flow", (table,), drawing=draw_flow(shown, states), reading=known.progress
    )


def _ways(request: Request, found: Flow, note: str) -> Table:
    """A page of who mails whom."""
    size = size_asked(request, _EDGES)
    if is_order_asked(request):
        return replace(flow_table(found, 0, len(found.edges), note=note), whole=True, size=size)
    start = number_asked(request, "start", 0, 10**9)
    more = following(request, start=start + size) if start + size < len(found.edges) else ""
    return replace(flow_table(found, start, size, more, note), size=size)


async def lanes(request: Request, console: Console) -> Page:
    """Mail by time, newest page first; or all that was on its way within a window, in seconds since the epoch."""
    record = await console.session(request.path_params["session"])
    known = await console.histories.read(record.id, seconds=patience(request))
    window = window_asked(request)
    if window is None:
        found = _page(request, known.passages, record, size_asked(request, _LANES))
    else:
        within = partial(_is_within, window)
        found = _page(request, known.passages, record, size_asked(request, _IN_WINDOW), within, before="")
    older = following(request, before=found.passages[0].mail) if found.more and window is None else ""
    note = known.progress.note
    if found.more and window is not None:
        note = f"{note} The newest {counted(len(found.passages), 'mail')} of this window.".strip()
    empty = {} if window is None else {"empty": NONE_THEN}
    table = mail_table(record.id, found, older, note, **empty)
    chart = draw_lanes(found, window)
    zoom = _zoom_of_lanes(request, known.passages, window or chart.shown, chart.points, asked=window is not None)
    shown = {"chart": chart, "zoom": zoom, "reading": known.progress, "older": older}
    return await session_page(console, record, "lanes.html", "Lanes", "lanes", (table,), **shown)


def _is_within(window: Window, one: Passage) -> bool:
    """Whether a mail was on its way within a window; one that is not done yet still is."""
    is_over = one.state in ("applied", "dead", "gone", "sent")
    return moment_sent(one) <= window.end and (not is_over or last_moment(one) >= window.begin)


def _zoom_of_lanes(
    request: Request, passages: Passages, shown: Window, points: Sequence[tuple[float, float]], *, asked: bool
) -> Zoom:
    """The links around the lanes: within the time of all mail that was read."""
    stories = passages.history.stories
    ends = [passages.of(stories[mail]) for mail in (min(stories), max(stories))] if stories else []
    moments = [at for one in ends for at in (moment_sent(one), last_moment(one))]
    whole = Window(min([shown.begin, *moments]), max([shown.end, *moments]))
    return zoom_of(request.query_params, shown, whole, points, "y", asked=asked)


async def trace(request: Request, console: Console) -> Page:
    """What happened to one mail; without one, the mails there are."""
    record = await console.session(request.path_params["session"])
    known = await console.histories.read(record.id, seconds=patience(request))
    wanted = text_asked(request, "mail")
    if not wanted:
        return await _mails(request, console, known, record)
    known = await _with_its_end(console, record.id, known, wanted)
    try:
        told = trace_of(known.passages, wanted)
    except ItemNotFoundError:
        if not known.progress.whole:
            return await session_page(
                console,
                record,
                "pending.html",
                "Trace",
                "trace",
                (span_table(None, {}, known.progress.note),),
                mail=wanted,
                reading=known.progress,
            )
        if not known.progress.cut:
            raise
        raise ItemNotFoundError(
            f"The mail {wanted} is not among the newest of the session, which are kept here."
            f" `lion-broker session trace {record.id} {wanted}` reads all."
        ) from None
    names = branch_names(known.passages, record)
    window = window_asked(request)
    drawing = draw_trace(told, names, window)
    asked = window is not None
    zoom = zoom_of(request.query_params, drawing.shown, drawing.whole, drawing.points, "x", asked=asked)
    return await session_page(
        console,
        record,
        "trace.html",
        "Trace",
        "trace",
        (span_table(told, names),),
        waterfall=drawing,
        zoom=zoom,
        why=await _reason(console, record.id, told),
        passage=told.passage,
        lost=told.lost,
        names=names,
        whole_mail=await _whole(console, record.id, known, told.passage.mail),
        reading=known.progress,
    )


async def _reason(console: Console, session: str, told: Trace) -> Reason | None:
    """Why a mail has not taken effect, as its branch and the workers stand now."""
    passage = told.passage
    if (found := poisoned(told)) is not None:
        return found
    if passage.state in ("applied", "dead") or not is_id(passage.recipient):
        return None
    verbs: list[Verb[Any]] = [ReadBranches(session, ids=(passage.recipient,)), ReadWorkers()]
    records, roll = await console.exchange.acall_all(verbs)
    return reason_of(session, passage, records[0] if records else None, worker_views(roll))


async def _mails(request: Request, console: Console, known: Known, record: SessionRecord) -> Page:
    """The mails that there are, newest first; `state`, `branch` and `q` choose."""
    asked = {name: text_asked(request, name) for name in ("state", "branch")}
    words, size = text_asked(request, "q"), size_asked(request, _MAILS)
    names = branch_names(known.passages, record) if words else {}

    def fits(one: Passage) -> bool:
        return asked["state"] in ("", one.state) and _is_said(one, words.casefold(), names)

    whole = is_order_asked(request)
    found = _page(request, known.passages, record, _SORTED if whole else size, fits)
    older = following(request, before=found.passages[0].mail) if found.more and not whole else ""
    note = known.progress.note
    if found.more and whole:
        note = f"{note} The newest {_SORTED:,} mails only are in order.".strip()
    empty = {"empty": NO_SUCH_MAIL} if words or any(asked.values()) else {}
    table = replace(mail_table(record.id, found, older, note, **empty), whole=whole, size=size)
    shown = {"reading": known.progress, "states": _STATES, "words": words, **asked}
    return await session_page(console, record, "mails.html", "Mails", "trace", (table,), **shown)


def _is_said(one: Passage, low: str, names: Mapping[str, str]) -> bool:
    """Whether a mail, or what is known of its way, has some words in it."""
    told = (one.text, one.mail, one.owner, one.reason, one.category)
    ends = (names.get(one.sender, ""), names.get(one.recipient, ""))
    return not low or any(low in text.casefold() for text in (*told, *ends))


async def _with_its_end(console: Console, session: str, known: Known, wanted: str) -> Known:
    """What is known once the log of a mail's recipient was read, too."""
    story = known.passages.history.stories.get(wanted)
    if story is None or not story.recipient or known.passages.state_of(story) != "sent":
        return known
    return await console.histories.read(session, story.recipient)


async def _whole(console: Console, session: str, known: Known, mail: str) -> str:
    """A mail with header and body, as JSON for people; empty where it is not kept as one."""
    passages = known.passages
    steps = mail_steps(session, passages.history.stories[mail], passages.pending.waits.get(mail))
    found = await console.ask(steps)
    return "" if found is None else readable(json.dumps(found, ensure_ascii=False, indent=2), _LONGEST)


async def mail(request: Request) -> Response:
    """One mail with header and body, as JSON for programs; raises ItemNotFoundError where it is not kept as one."""
    console = console_of(request)
    record = await console.session(request.path_params["session"])
    known = await console.histories.read(record.id, seconds=patience(request))
    wanted = request.path_params["mail"].removesuffix(".json")
    story = known.passages.history.stories.get(wanted)
    found = story and await console.ask(mail_steps(record.id, story, known.passages.pending.waits.get(wanted)))
    if not found:
        raise ItemNotFoundError(f"The mail {wanted[:128]} is not in a log or a mailbox that was read here.")
    return Response(to_json(found), media_type="application/json")


def _page(
    request: Request,
    passages: Passages,
    record: SessionRecord,
    count: int,
    only: Callable[[Passage], bool] | None = None,
    before: str | None = None,
) -> Lanes:
    """A page of mails with what people call their branches; those before what was asked for, or `before`."""
    before = text_asked(request, "before") if before is None else before
    found = lanes_of(passages, branch=text_asked(request, "branch"), before=before, count=count, only=only)
    names = branch_names(passages, record)
    return Lanes({one: names.get(one, one) for one in found.names}, found.passages, found.more)


ROUTES = [
    Route("/sessions/{session}/mail/{mail}", mail, methods=["GET"]),
    *page_routes("/sessions/{session}/lanes", lanes),
    *page_routes("/sessions/{session}/trace", trace),
    *page_routes("/sessions/{session}", flow),
]
