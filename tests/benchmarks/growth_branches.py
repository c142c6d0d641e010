"""P6: what an idle branch costs, and what many of them cost the few that are busy."""

from __future__ import annotations

import time

from lion_broker import Session
from lion_broker.mail.exchange import run
from lion_broker.session.postbox import Postbox

from .drain import BRANCHES
from .growth import measured, points, server_bytes, settled
from .rig import Curve, Figure, Rig, kilobyte_mails

MOST, QUICK = 100_000, 10_000
MAILS, DRAINS = 10_000, 3
POOL = "growth-branches"


def growth_branches(rig: Rig, quick: bool) -> list[Figure | Curve]:
    """10, 1,000 and 100,000 idle branches: memory, creation, opening, look-ups, and the drain of a busy hundred."""
    rows = {count: _at(rig, count) for count in points(QUICK if quick else MOST)}

    def curve(work: str, y: str, name: str, goal: str = "") -> Curve:
        return Curve("P6", work, "idle branches", y, tuple((n, row[name]) for n, row in rows.items()), goal)

    return [
        curve("server memory of a branch that has a name", "bytes", "bytes", "flat, under 2,048"),
        curve("server memory of one with a system message too", "bytes", "bytes_with_system", "flat, under 2,048"),
        curve("new_branch, the last hundred", "µs of CPU each", "create", "flat"),
        curve("Session.open", "ms", "open", "flat"),
        curve("session.branches, the first time", "µs a branch", "all", "flat"),
        curve("memory of a branch in an opened session", "bytes", "all_memory", "flat"),
        curve("session.get_branch(name)", "µs", "named", "flat"),
        curve("session.branches[name], which is a search", "µs", "by_name"),
        curve("send to a name", "ms", "send_by_name", "flat"),
        curve(f"drain of {BRANCHES} busy ones, the best of {DRAINS}", "mails/s", "rate", "within 20 %"),
        curve("the same: CPU of the server", "µs/mail", "server", "flat"),
    ]


def _at(rig: Rig, count: int) -> dict[str, float]:
    exchange = rig.exchange()
    session = Session(exchange=exchange, delivery="auto")
    begin = server_bytes(rig)
    cpu, last = 0.0, min(count, 100)
    for number in range(count):
        if number == count - last:
            cpu = time.process_time()
        session.new_branch(name=f"branch-{number}", pool=POOL)
    create = (time.process_time() - cpu) / last * 1e6
    plain = (server_bytes(rig) - begin) / count
    begin = server_bytes(rig)
    for number in range(100):
        session.new_branch(name=f"instructed-{number}", pool=POOL, system="You are one of many. Be brief.")
    instructed = (server_bytes(rig) - begin) / 100
    looks = measured(rig, "growth_reader", "branches", session.id)
    busy = [session.new_branch(pool="growth-busy").id for _ in range(BRANCHES)]
    rates, servers = [], []
    for _ in range(DRAINS):
        run(exchange, Postbox(session.id).post_steps(kilobyte_mails(session.id, session.id, busy, MAILS)))
        settled(rig)
        server = rig.server_cpu()
        rates.append(MAILS / measured(rig, "consumer", "growth-busy", MAILS)["seconds"])
        servers.append((rig.server_cpu() - server) / MAILS * 1e6)
    session.delete()
    exchange.close()
    return {
        "bytes": plain,
        "bytes_with_system": instructed,
        "create": create,
        "open": looks["open"] * 1e3,
        "all": (looks["open"] + looks["all"]) / count * 1e6,
        "all_memory": looks["memory"] / count + looks["all_memory"],
        "named": looks["named"] * 1e6,
        "by_name": looks["by_name"] * 1e6,
        "send_by_name": looks["send_by_name"] * 1e3,
        "rate": max(rates),
        "server": min(servers),
    }
