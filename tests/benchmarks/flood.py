"""A program that has mail waiting for the branches of a session, until its stdin ends.

With `flood` it keeps putting mail in, as fast as the worker takes it out. With `backlog` all of it is there before the
program says so, and the program does nothing any more; with `crowd` the same mail is for many more branches than a
worker has seats.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

from lion_broker import Session
from lion_broker.mail.exchange import run
from lion_broker.session.postbox import Postbox

from .rig import kilobyte_mails

BRANCHES = 100
CROWD = 2_000
"""Branches that have mail waiting."""
FLOOD = 20_000
"""Mails that wait for them at most while more is put in."""
BACKLOG = 100_000
"""Mails that wait for them when nobody puts more in."""
PIECE = 2_000


def main(pool: str, form: str) -> None:
    """Print the id of the session when its mail waits, and do as `form` says."""
    with Session(delivery="auto") as session:
        number = CROWD if form == "crowd" else BRANCHES
        branches = [session.new_branch(pool=pool, behaviour="note").id for _ in range(number)]
        postbox, ended = Postbox(session.id), threading.Event()
        threading.Thread(target=_listen, args=(ended,), daemon=True).start()

        def put_in() -> None:
            run(session.exchange, postbox.post_steps(kilobyte_mails(session.id, session.id, branches, PIECE)))

        most = FLOOD if form == "flood" else BACKLOG
        for _ in range(most // PIECE):
            put_in()
        print(session.id, flush=True)
        if form == "flood":
            _keep_up(session, put_in, ended)
        ended.wait()
        session.delete()


def _keep_up(session: Session, put_in: Callable[[], None], ended: threading.Event) -> None:
    while not ended.is_set():
        if session.counters().get("inflight", 0) < FLOOD:
            put_in()
        else:
            ended.wait(0.01)


def _listen(ended: threading.Event) -> None:
    sys.stdin.read()
    ended.set()


if __name__ == "__main__":
    main(*sys.argv[1:])
