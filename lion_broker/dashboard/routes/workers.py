"""Workers, which drain, and pools, which scale."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lion_broker.dashboard.access import Visitor
from lion_broker.dashboard.asked import text_asked
from lion_broker.dashboard.console import Console, console_of
from lion_broker.dashboard.pages import Page, page_routes
from lion_broker.dashboard.tables import Empty, is_said
from lion_broker.dashboard.views.deployment import pool_table, worker_table
from lion_broker.errors import ConfigError, ItemNotFoundError
from lion_broker.insight.overview import LOST, pool_views, worker_views
from lion_broker.insight.views import PoolView, WorkerView
from lion_broker.mail.checks import check
from lion_broker.mail.deployment import PoolRecord
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.verbs import OrderWorkers, ReadPools, ReadWorkers, SetWanted
from lion_broker.worker.forgetting import GONE, forget_steps

from .acting import Done, Form, act_route

__all__ = ["ROUTES"]

_MOST_WANTED: Final = 1000
_NAMED: Final = 20
_AT_WORK: Final = ("running", "draining")
_STATES: Final = (*_AT_WORK, "lost", "stopped")
NO_SUCH_WORKER: Final = Empty("No worker is like that.")

Seen = tuple[tuple[WorkerView, ...], tuple[PoolView, ...]]


async def workers(request: Request, console: Console) -> Page:
    """Who is at work, for which pools, and what waits there; `state` and `q` choose workers."""
    seen, pools = await _look(console)
    console.pulse.wanted()
    state, words = text_asked(request, "state"), text_asked(request, "q")
    table = worker_table([one for one in seen if state in ("", one.state)])
    rows = [row for row in table.rows if is_said(row, words)]
    table = replace(table, rows=rows, empty=NO_SUCH_WORKER if seen else table.empty)
    tables = (table, pool_table(pools, console.pulse.beats))
    lost = sum(one.state == LOST for one in seen)
    asked = {"state": state, "words": words, "states": _STATES, "known": len(seen), "lost": lost}
    return Page("workers.html", "Workers", "workers", tables, asked)


async def _look(console: Console) -> Seen:
    roll, pools = await console.exchange.acall_all((ReadWorkers(), ReadPools()))
    found = worker_views(roll)
    # A pool in which nothing waits, and of which nobody wants anything, is known by its workers only.
    known = {one.pool for one in pools}
    idle = sorted({one.pool for one in found if one.state in _AT_WORK} - known)
    return found, pool_views((*pools, *map(PoolRecord, idle)), found)


async def drain(request: Request, console: Console, visitor: Visitor, form: Form) -> Done:
    """Have a worker end its turns, hand its branches over and exit."""
    owner = form.get("owner")
    seen, _ = await _look(console)
    if owner not in {one.owner for one in seen if one.state in _AT_WORK}:
        raise ItemNotFoundError("There is no such worker at work (any more).")
    await console.note(visitor, "drain worker", f"worker {owner}")
    (word,) = await console.exchange.acall(OrderWorkers((owner,)))
    return Done("draining", "/workers", count=int(word is Outcome.OK))


async def forget(request: Request, console: Console, visitor: Visitor, form: Form) -> Done:
    """Take a worker that was lost, or has stopped, off the list; or all of them."""
    owner = form.get("owner")
    seen, _ = await _look(console)
    gone = [one.owner for one in seen if one.state in GONE]
    if form.get("scope") == "all":
        await console.note(visitor, "forget workers", "namespace", f"{len(gone)}: {', '.join(gone[:_NAMED])}")
    elif owner in gone:
        gone = [owner]
        await console.note(visitor, "forget worker", f"worker {owner}")
    else:
        raise ItemNotFoundError("There is no such worker that was lost (any more). One that is at work is drained.")
    done = await console.ask(forget_steps(gone))
    return Done("forgotten", "/workers", count=len(done))


async def drain_pool(request: Request, console: Console, visitor: Visitor, form: Form) -> Done:
    """Have all workers of a pool drain."""
    pool = form.get("pool")
    seen, _ = await _look(console)
    owners = tuple(one.owner for one in seen if one.pool == pool and one.state in _AT_WORK)
    if not owners:
        raise ItemNotFoundError("No worker of that pool is at work.")
    await console.note(visitor, "drain pool", f"pool {pool}", ", ".join(owners))
    words = await console.exchange.acall(OrderWorkers(owners))
    return Done("draining", "/workers", count=sum(word is Outcome.OK for word in words))


async def scale(request: Request, console: Console, visitor: Visitor, form: Form) -> Done:
    """Say how many workers a pool is to have; nothing takes it back."""
    pool, text = form.get("pool"), form.get("wanted").strip()
    if text and not (text.isascii() and text.isdecimal() and len(text) < 6 and int(text) <= _MOST_WANTED):
        raise ConfigError(f"A pool is to have 0 to {_MOST_WANTED:,} workers, not {text[:20]!r}.")
    wanted = int(text) if text else None
    await console.note(
        visitor, "scale pool", f"pool {pool}", "no number any more" if wanted is None else f"to {wanted}"
    )
    await console.exchange.acall(SetWanted(pool, wanted))
    return Done("scaled", "/workers")


async def scale_of(request: Request) -> Response:
    """How much a pool has to do and how many workers it has and is to have, for an autoscaler such as KEDA."""
    name = request.path_params["pool"]
    check(SetWanted(name, None))
    _, pools = await _look(console_of(request))
    # A pool in which nothing waits has nothing to do, whether or not it was ever used.
    found = next((one for one in pools if one.pool == name), PoolView(name, 0, 0, 0.0, 0, 0))
    return JSONResponse(
        {
            "pool": found.pool,
            "backlog": found.ready + found.claimed,
            "ready": found.ready,
            "claimed": found.claimed,
            "oldest_seconds": round(found.oldest_seconds, 3),
            "workers": found.workers,
            "capacity": found.capacity,
            "wanted": found.wanted,
        }
    )


ROUTES = [
    *page_routes("/workers", workers),
    act_route("/workers/drain", drain),
    act_route("/workers/forget", forget),
    act_route("/pools/drain", drain_pool),
    act_route("/pools/scale", scale),
    Route("/scale/{pool}", scale_of, methods=["GET"]),
]
