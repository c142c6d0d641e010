"""The mail of one session: who mails whom, by time, and what happened to one of them."""

from __future__ import annotations

import json

from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lion_broker.core.portable import readable
from lion_broker.dashboard.console import Console, console_of
from lion_broker.dashboard.histories import Known
from lion_broker.dashboard.pages import Page, page_routes, patience
from lion_broker.dashboard.reading import mail_steps
from lion_broker.dashboard.views.flow import draw_flow, flow_table
from lion_broker.dashboard.views.lanes import draw_lanes, mail_table
from lion_broker.dashboard.views.sessions import branch_name, branch_state, default_branch
from lion_broker.dashboard.views.waterfall import draw_trace, span_table
from lion_broker.errors import ItemNotFoundError
from lion_broker.insight.flow import flow_of
from lion_broker.insight.lanes import lanes_of
from lion_broker.insight.passages import Passages
from lion_broker.insight.pictures import Lanes, Passage
from lion_broker.insight.trace import trace_of
from lion_broker.mail.records import SessionRecord

from .asked import following, number_asked, text_asked
from .sessions import session_page

__all__ = ["ROUTES"]

_EDGES = 200
_LONGEST = 100_000
_LANES = 80
_MAILS = 100
_LOOKED_AT = 1000
_STATES = ("waiting", "working", "applied", "retrying", "delayed", "dead", "sent", "gone")


async def flow(request: Request, console: Console) -> Page:
    """Who mails whom."""
    record = await console.session(request.path_params["session"])
    known = await console.histories.read(record.id, seconds=patience(request))
    found = flow_of(known.passages)
    names = {**found.names, **_names(known.passages, record)}
    shown = type(found)({one: names[one] for one in found.names}, found.edges)
    states = {one: branch_state(kept) for one, kept in known.passages.history.records.items() if one != record.id}
    start = number_asked(request, "start", 0, 10**9)
    more = following(request, start=start + _EDGES) if start + _EDGES < len(shown.edges) else ""
    table = flow_table(shown, start, _EDGES, more, known.progress.note)
    return session_page(
        record, "flow.html", "Flow", "flow", (table,), drawing=draw_flow(shown, states), reading=known.progress
    )


async def lanes(request: Request, console: Console) -> Page:
    """Mail by time, newest page first."""
    record = await console.session(request.path_params["session"])
    known = await console.histories.read(record.id, seconds=patience(request))
    found = _page(request, known.passages, record, _LANES)
    older = following(request, before=found.passages[0].mail) if found.more else ""
    table = mail_table(record.id, found, older, known.progress.note)
    return session_page(
        record, "lanes.html", "Lanes", "lanes", (table,), chart=draw_lanes(found), reading=known.progress, older=older
    )


async def trace(request: Request, console: Console) -> Page:
    """What happened to one mail; without one, the mails there are."""
    record = await console.session(request.path_params["session"])
    known = await console.histories.read(record.id, seconds=patience(request))
    wanted = text_asked(request, "mail")
    if not wanted:
        found = _page(request, known.passages, record, _MAILS, text_asked(request, "state"))
        older = following(request, before=found.passages[0].mail) if found.more and found.passages else ""
        table = mail_table(record.id, found, older, known.progress.note)
        asked = {name: text_asked(request, name) for name in ("state", "branch")}
        return session_page(
            record, "mails.html", "Mails", "trace", (table,), reading=known.progress, states=_STATES, **asked
        )
    known = await _with_its_end(console, record.id, known, wanted)
    try:
        told = trace_of(known.passages, wanted)
    except ItemNotFoundError:
        if not known.progress.whole:
            return session_page(
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
    names = _names(known.passages, record)
    return session_page(
        record,
        "trace.html",
        "Trace",
        "trace",
        (span_table(told, names),),
        waterfall=draw_trace(told, names),
        passage=told.passage,
        names=names,
        whole_mail=await _whole(console, record.id, known, told.passage.mail),
        reading=known.progress,
    )


async def _with_its_end(console: Console, session: str, known: Known, wanted: str) -> Known:
    """What is known once the log of a mail's recipient was read, too."""
    story = known.passages.history.stories.get(wanted)
    if story is None or not story.recipient or known.passages.state_of(story) != "sent":
        return known
    return await console.histories.read(session, story.recipient)


async def _whole(console: Console, session: str, known: Known, mail: str) -> str:
    """A mail with header and body, as JSON for people; empty where it is not kept as one."""
    passages = known.passages
    steps = mail_steps(session, passages.history.stories[mail], passages.standing.waits.get(mail))
    found = await console.ask(steps)
    return "" if found is None else readable(json.dumps(found, ensure_ascii=False, indent=2), _LONGEST)


async def mail(request: Request) -> Response:
    """One mail with header and body, as JSON for programs; raises ItemNotFoundError where it is not kept as one."""
    console = console_of(request)
    record = await console.session(request.path_params["session"])
    known = await console.histories.read(record.id, seconds=patience(request))
    wanted = request.path_params["mail"].removesuffix(".json")
    story = known.passages.history.stories.get(wanted)
    found = story and await console.ask(mail_steps(record.id, story, known.passages.standing.waits.get(wanted)))
    if not found:
        raise ItemNotFoundError(f"The mail {wanted[:128]} is not in a log or a mailbox that was read here.")
    return Response(to_json(found), media_type="application/json")


def _page(request: Request, passages: Passages, record: SessionRecord, count: int, state: str = "") -> Lanes:
    """A page of mails, in one state or any, with what people call their branches."""
    before, branch = text_asked(request, "before"), text_asked(request, "branch")
    found, more = list[Passage](), True
    while more and len(found) < count:
        page = lanes_of(passages, branch=branch, before=before, count=_LOOKED_AT if state else count)
        chosen = [one for one in page.passages if state in ("", one.state)]
        found = [*chosen, *found]
        more = page.more
        before = page.passages[0].mail if page.passages else before
    names = _names(passages, record)
    shown = tuple(found[-count:])
    ends = {end for one in shown for end in (one.sender, one.recipient)}
    return Lanes({one: names.get(one, one) for one in sorted(ends)}, shown, more or len(found) > count)


def _names(passages: Passages, record: SessionRecord) -> dict[str, str]:
    history, default = passages.history, default_branch(record)
    removed = {one: name or f"…{one[-8:]}" for one, name in history.names.items()}
    known = {one: branch_name(kept, default) for one, kept in history.records.items()}
    return {**removed, **known, history.session: "the session"}


ROUTES = [
    Route("/sessions/{session}/mail/{mail}", mail, methods=["GET"]),
    *page_routes("/sessions/{session}/lanes", lanes),
    *page_routes("/sessions/{session}/trace", trace),
    *page_routes("/sessions/{session}", flow),
]
