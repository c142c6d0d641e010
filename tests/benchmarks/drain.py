"""P1 and P2: draining full queues, as they are and with an answer to each item, beside hop and peers."""

from __future__ import annotations

from collections.abc import Sequence

from .contest import Contest, Outcome, Round, Sample
from .peers.driver import Failed
from .peers.table import HOP, OURS, Contender, Kind
from .rig import Figure
from .works import DRAINED, HANDLED, RELAY_CPU, RELAYED, SERVER_CPU, WORKER_CPU

__all__ = ["BRANCHES", "MICROSECONDS", "beside_fastest", "drain", "drained", "relay", "share_of"]

BRANCHES = 100
MICROSECONDS = 1e6


def drain(contest: Contest, items: int) -> list[Figure]:
    """Items of 1 KB wait in a queue (ours: 100 branches) and one worker process handles them all."""
    outcomes = contest.run(lambda turn: drained(turn, "drain", items))
    # The branches above have no behaviour: their mail joins the history. Here each mail is given to a function as well.
    (handled,) = contest.run(lambda turn: drained(turn, "handle", items), lambda one: one is OURS)
    ours, hop = outcomes[0], _of(outcomes, HOP)
    ratio = ours.median("rate") / hop.median("rate")
    return [
        *[one.figure("P1", DRAINED, "rate", "items/s") for one in outcomes],
        *[one.figure("P1", WORKER_CPU, "worker", "µs/item") for one in outcomes[1:]],
        *[one.figure("P1", SERVER_CPU, "server", "µs/item") for one in outcomes[1:] if not one.contender.alone],
        ours.figure("P1", WORKER_CPU, "worker", "µs/item", "at most 40", at_most=40),
        ours.figure("P1", SERVER_CPU, "server", "µs/item", "at most 20", at_most=20),
        Figure("P1", "drained / bare hop", ratio, "ratio", "at least 0.35", at_least=0.35),
        beside_fastest("P1", "drained", outcomes, "rate", 8),
        handled.figure("P1", HANDLED, "rate", "items/s"),
        handled.figure("P1", f"{HANDLED}: CPU of the worker", "worker", "µs/item", "at most 40", at_most=40),
        beside_fastest("P1", HANDLED, [handled, *outcomes[1:]], "rate", 8),
    ]


def relay(contest: Contest, items: int) -> list[Figure]:
    """Each item is answered by its handler with another one, into a second queue that the same worker drains too."""
    outcomes = contest.run(lambda turn: drained(turn, "relay", items))
    return [
        *[one.figure("P2", RELAYED, "rate", "items/s") for one in outcomes],
        *[one.figure("P2", RELAY_CPU, "worker", "µs/item") for one in outcomes],
        beside_fastest("P2", "answered", outcomes, "rate", 3),
    ]


def beside_fastest(number: str, work: str, outcomes: Sequence[Outcome], name: str, factor: float) -> Figure:
    """Return our rate over that of the fastest peer that has a broker between processes and a handler per item."""
    rates = {
        one.contender.name: one.median(name) for one in outcomes if one.contender.kind is Kind.BROKER and not one.error
    }
    if not rates:
        return Figure(number, f"{work} / fastest peer", float("nan"), "ratio", error="no peer was measured")
    fastest = max(rates, key=lambda peer: rates[peer])
    ratio = outcomes[0].median(name) / rates[fastest]
    goal = f"at least {factor:g}"
    return Figure(number, f"{work} / fastest peer ({fastest})", ratio, "ratio", goal, at_least=factor)


def drained(turn: Round, work: str, items: int) -> Sample:
    """Have a contender put items in and drain them; returns items a second and the CPU time of each part."""
    contender = turn.contender
    items = share_of(contender, items)
    with turn.cast(work, items) as cast:
        fed = None
        if not contender.live and contender is not HOP:
            fed = cast.client.ask("enqueue", items=items, bulk=contender.bulk)
        server = turn.server_cpu(cast)
        cast.worker.ask("drain")
        if contender.live:
            fed = cast.client.ask("enqueue", items=items, bulk=contender.bulk)
        cost = cast.worker.hear()
        server = turn.server_cpu(cast) - server
        if wrong := cast.client.ask("check")["wrong"]:
            raise Failed(wrong)
    began = fed["began"] if fed is not None and contender.live else cost["began"]
    return {
        "rate": items / (cost["ended"] - began) * 1e9,
        "worker": cost["cpu"] / items * MICROSECONDS,
        "server": server / items * MICROSECONDS,
    }


def share_of(contender: Contender, items: int) -> int:
    """Return how many of so many items a contender gets, in whole hundreds."""
    return max(100, round(items * contender.share / 100) * 100)


def _of(outcomes: Sequence[Outcome], contender: Contender) -> Outcome:
    return next(one for one in outcomes if one.contender is contender)
