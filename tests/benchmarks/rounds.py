"""P5: a whole round of manual mail, moved inside the server."""

from __future__ import annotations

import statistics
import time

from lion_broker import Session
from lion_broker.mail.exchange import run
from lion_broker.session.postbox import Postbox

from .rig import Figure, Rig, WrongResult, kilobyte_mails

BRANCHES = 100
EACH = 100


def rounds(rig: Rig, repeats: int) -> list[Figure]:
    """`collect_send_all` for 100 branches with 100 mails each in their outboxes."""
    rates, trips = [], []
    for _ in range(repeats):
        exchange = rig.exchange()
        session = Session(exchange=exchange)
        branches = [session.new_branch(pool="nobody").id for _ in range(BRANCHES)]
        for place, sender in enumerate(branches):
            recipients = branches[place + 1 :] + branches[:place]
            run(exchange, Postbox(session.id).post_steps(kilobyte_mails(session.id, sender, recipients, EACH)))
        rig.reset()
        start = time.perf_counter()
        session.collect_send_all()
        rates.append(BRANCHES * EACH / (time.perf_counter() - start))
        trips.append(rig.calls().get("fcall", 0))
        delivered = sum(session.branches[one].record.inbox for one in branches)
        if delivered != BRANCHES * EACH:
            raise WrongResult(f"P5: {delivered} of {BRANCHES * EACH} mails arrived.")
        session.delete()
        exchange.close()
    return [
        Figure(
            "P5",
            "collect_send_all, 100 branches × 100 mails",
            statistics.median(rates),
            "mails/s",
            "at least 100,000",
            at_least=100_000,
        ),
        Figure("P5", "function calls of that round", statistics.median(trips), "calls", "one a bounded batch"),
    ]
