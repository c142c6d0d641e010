"""The mail of one session: who mails whom, by time, and what happened to one of them."""

from __future__ import annotations

from starlette.requests import Request

from lion_broker.dashboard.console import Console
from lion_broker.dashboard.pages import Page, page_routes
from lion_broker.dashboard.views.flow import draw_flow, flow_table
from lion_broker.dashboard.views.lanes import draw_lanes, mail_table
from lion_broker.dashboard.views.sessions import branch_name, branch_state, default_branch
from lion_broker.dashboard.views.waterfall import draw_trace, span_table
from lion_broker.insight.flow import flow_of
from lion_broker.insight.lanes import lanes_of
from lion_broker.insight.passages import Passages
from lion_broker.insight.pictures import Lanes
from lion_broker.insight.trace import trace_of
from lion_broker.mail.records import SessionRecord

from .asked import following, text_asked
from .sessions import session_page

__all__ = ["ROUTES"]

_LANES = 80
_MAILS = 100


async def flow(request: Request, console: Console) -> Page:
    """Who mails whom."""
    record = await console.session(request.path_params["session"])
    known = await console.histories.read(record.id)
    found = flow_of(known.passages)
    names = {**found.names, **_names(known.passages, record)}
    shown = type(found)({one: names[one] for one in found.names}, found.edges)
    states = {one: branch_state(kept) for one, kept in known.passages.history.records.items() if one != record.id}
    table = flow_table(shown)
    return session_page(
        record, "flow.html", "Flow", "flow", (table,), drawing=draw_flow(shown, states), whole=known.whole
    )


async def lanes(request: Request, console: Console) -> Page:
    """Mail by time, newest page first."""
    record = await console.session(request.path_params["session"])
    known = await console.histories.read(record.id)
    found = _page(request, known.passages, record, _LANES)
    older = following(request, before=found.passages[0].mail) if found.more else ""
    table = mail_table(record.id, found, older)
    return session_page(
        record, "lanes.html", "Lanes", "lanes", (table,), chart=draw_lanes(found), whole=known.whole, older=older
    )


async def trace(request: Request, console: Console) -> Page:
    """What happened to one mail; without one, the mails there are."""
    record = await console.session(request.path_params["session"])
    known = await console.histories.read(record.id)
    wanted = text_asked(request, "mail")
    if not wanted:
        found = _page(request, known.passages, record, _MAILS)
        older = following(request, before=found.passages[0].mail) if found.more else ""
        table = mail_table(record.id, found, older)
        return session_page(record, "mails.html", "Trace", "trace", (table,), whole=known.whole)
    told = trace_of(known.passages, wanted)
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
        whole=known.whole,
    )


def _page(request: Request, passages: Passages, record: SessionRecord, count: int) -> Lanes:
    """A page of mails, with what people call their branches."""
    found = lanes_of(passages, branch=text_asked(request, "branch"), before=text_asked(request, "before"), count=count)
    names = _names(passages, record)
    return Lanes({one: names.get(one, one) for one in found.names}, found.passages, found.more)


def _names(passages: Passages, record: SessionRecord) -> dict[str, str]:
    history, default = passages.history, default_branch(record)
    removed = {one: name or f"…{one[-8:]}" for one, name in history.names.items()}
    known = {one: branch_name(kept, default) for one, kept in history.records.items()}
    return {**removed, **known, history.session: "the session"}


ROUTES = [
    *page_routes("/sessions/{session}/lanes", lanes),
    *page_routes("/sessions/{session}/trace", trace),
    *page_routes("/sessions/{session}", flow),
]
