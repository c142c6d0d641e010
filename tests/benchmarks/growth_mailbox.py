"""P7: a mailbox with a backlog: how fast its mail is drained, and what a further mail costs."""

from __future__ import annotations

import time

from lion_broker import Session
from lion_broker.mail.exchange import run
from lion_broker.session.postbox import Postbox

from .growth import measured, server_bytes
from .rig import Curve, Figure, Rig, kilobyte_mails

SIZES, QUICK_SIZES = (10_000, 100_000, 1_000_000), (10_000, 50_000)
DRAINED = 10_000
PIECE = 50_000


def growth_mailbox(rig: Rig, quick: bool) -> list[Figure | Curve]:
    """One branch with up to 1,000,000 waiting mails, of which 10,000 are drained at each point."""
    exchange = rig.exchange()
    session = Session(exchange=exchange, delivery="auto")
    branch = session.new_branch(name="long", pool="growth-mailbox")
    postbox, rows, waiting = Postbox(session.id), {}, 0
    begin_bytes = server_bytes(rig)
    for size in QUICK_SIZES if quick else SIZES:
        enqueue = 0.0
        while waiting < size:
            piece = min(PIECE, size - waiting)
            mails = kilobyte_mails(session.id, session.id, [branch.id], piece)
            begin = time.perf_counter()
            run(exchange, postbox.post_steps(mails))
            enqueue = piece / (time.perf_counter() - begin)
            waiting += piece
        stored = (server_bytes(rig) - begin_bytes) / size
        server = rig.server_cpu()
        cost = measured(rig, "consumer", "growth-mailbox", DRAINED)
        server = rig.server_cpu() - server
        done = int(cost["mails"])
        waiting -= done
        rows[size] = (done / cost["seconds"], server / done * 1e6, cost["cpu"] / done * 1e6, enqueue, stored)
    session.delete()
    exchange.close()

    def curve(place: int, work: str, y: str, goal: str) -> Curve:
        return Curve("P7", work, "waiting mails", y, tuple((n, row[place]) for n, row in rows.items()), goal)

    return [
        curve(0, "drain", "mails/s", "within 20 %"),
        curve(1, "drain: CPU of the server", "µs/mail", "flat"),
        curve(2, "drain: CPU of the worker", "µs/mail", "flat"),
        curve(3, "enqueue, piece by piece", "mails/s", "flat"),
        curve(4, "server memory", "bytes/mail", "flat"),
    ]
