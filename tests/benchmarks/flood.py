"""A program that keeps mail waiting for the branches of a session, until its stdin ends."""

from __future__ import annotations

import sys
import threading

from lion_broker import Session
from lion_broker.mail.exchange import run
from lion_broker.session.postbox import Postbox

from .rig import kilobyte_mails

FLOODED = 100
"""Branches that are flooded."""
BACKLOG = 20_000
"""Mails that wait for them at most."""
PIECE = 2_000


def flood(pool: str) -> None:
    """Say `flooded` when the mail waits, and go on."""
    with Session(delivery="auto") as session:
        branches = [session.new_branch(pool=pool, behaviour="note").id for _ in range(FLOODED)]
        ended = threading.Event()

        def listen() -> None:
            sys.stdin.read()
            ended.set()

        threading.Thread(target=listen, daemon=True).start()
        postbox, said = Postbox(session.id), False
        while not ended.is_set():
            if session.counters().get("inflight", 0) < BACKLOG:
                run(session.exchange, postbox.post_steps(kilobyte_mails(session.id, session.id, branches, PIECE)))
                continue
            if not said:
                print("flooded", flush=True)
                said = True
            ended.wait(0.01)
        session.delete()


if __name__ == "__main__":
    flood(sys.argv[1])
