"""P4: what it costs to put items in, one by one and many at once, beside hop and peers."""

from __future__ import annotations

from .contest import Contest, Round, Sample
from .drain import MICROSECONDS, beside_fastest, share_of
from .rig import Figure
from .works import CLIENT_CPU, CLIENT_CPU_MANY, MANY, SINGLE

__all__ = ["enqueue"]


def enqueue(contest: Contest, single: int, bulk: int) -> list[Figure]:
    """One client process puts items of 1 KB into an idle system; one by one, the next when the last is stored."""
    alone = contest.run(lambda turn: _put(turn, single, bulk=False), lambda one: one.puts)
    many = contest.run(lambda turn: _put(turn, bulk, bulk=True), lambda one: one.puts and one.bulk)
    return [
        *[one.figure("P4", SINGLE, "rate", "items/s") for one in alone],
        *[one.figure("P4", CLIENT_CPU, "client", "µs/item") for one in alone],
        *[one.figure("P4", MANY, "rate", "items/s") for one in many[1:]],
        *[one.figure("P4", CLIENT_CPU_MANY, "client", "µs/item") for one in many],
        many[0].figure("P4", MANY, "rate", "items/s", "at least 40,000", at_least=40_000),
        beside_fastest("P4", SINGLE, alone, "rate", 1),
    ]


def _put(turn: Round, items: int, *, bulk: bool) -> Sample:
    items = share_of(turn.contender, items)
    with turn.cast("drain", items) as cast:
        server = turn.rig.server_cpu()
        cost = cast.client.ask("enqueue", items=items, bulk=bulk)
        server = turn.rig.server_cpu() - server
    return {
        "rate": items / cost["seconds"],
        "client": cost["cpu"] / items * MICROSECONDS,
        "server": server / items * MICROSECONDS,
    }
