"""P11: how often a worker asks the server for a turn, in the steady state."""

from __future__ import annotations

import time

from lion_broker import Session
from lion_broker.mail.exchange import run
from lion_broker.session.postbox import Postbox

from .growth import measured
from .rig import Figure, Rig, WrongResult, kilobyte_mails

__all__ = ["calls"]

BRANCHES = 10
TURNS = 10
BATCH = 200


def calls(rig: Rig) -> list[Figure]:
    """Branches with so much mail that each takes ten turns; reads of the ready stream, claims and sweeps included."""
    pool, mails = f"calls-{time.monotonic_ns()}", BRANCHES * TURNS * BATCH
    with Session(exchange=rig.exchange(), delivery="auto") as session:
        branches = [session.new_branch(pool=pool).id for _ in range(BRANCHES)]
        run(session.exchange, Postbox(session.id).post_steps(kilobyte_mails(session.id, session.id, branches, mails)))
        rig.reset()
        cost = measured(rig, "consumer", pool, mails)
        asked = rig.calls()
        applied = session.counters()["applied"]
        session.delete()
    if applied != mails:
        raise WrongResult(f"P11: {applied} of {mails} mails were applied.")
    a_turn = (asked.get("fcall", 0) + asked.get("xreadgroup", 0)) / cost["turns"]
    work = f"calls a turn, {BRANCHES} branches with {TURNS} turns each"
    return [Figure("P11", work, a_turn, "calls", "1, at most 2", at_most=2.0)]
