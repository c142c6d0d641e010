"""Programs that lead a session, one a subcommand; each prints JSON lines.

python -m tests.apps.coordinator talk SESSION NAME COUNT     opens a session and mails all its remote branches
python -m tests.apps.coordinator hold                        founds a session, works in it, and waits to be killed
python -m tests.apps.coordinator rounds SESSION              commands rounds until standard input ends
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from typing import Any

from lion_broker import Session


def tell(**values: Any) -> None:
    """Print one line for the test."""
    print(json.dumps(values), flush=True)  # noqa: T201 - the test reads it


def talk(session_id: str, name: str, count: str) -> None:
    """Send `count` mails to each remote branch from a branch of its own, and tell what was answered."""
    with Session.open(session_id) as session:
        mine = session.new_branch(name=name)
        for number in range(int(count)):
            for remote in session.branches:
                if getattr(remote, "pool", ""):
                    mine.send(remote, "message", f"{name}:{number}")
        session.wait_idle()
        mine.receive_all()
        tell(branch=mine.id, answers=[message.text for message in mine.messages])


def hold() -> None:
    """Have a branch with history, tools and mail on every station; what comes last is not flushed."""
    with Session(name="held", user="ada") as session:
        mine = session.new_branch(name="mine", system="Be kind.", tools=[len])
        other = session.new_branch(name="other")
        mine.send(other, "message", "delivered")
        session.send()
        mine.send(other, "message", "collected")
        session.take_outgoing(None)
        mine.send(other, "message", "in the outbox")
        mine.logs.log("flushed")
        session.change_default_branch(mine)
        session.flush()
        mine.logs.log("not flushed")
        tell(session=session.id)
        sys.stdin.readline()


def rounds(session_id: str) -> None:
    """Move mail on as long as somebody listens."""
    ended = threading.Event()

    def watch() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=watch, daemon=True).start()
    with Session.open(session_id, timeout=100) as session:
        tell(event="ready")
        while not ended.is_set():
            session.collect_send_all(receive_all=True)


if __name__ == "__main__":
    programs: dict[str, Callable[..., None]] = {"talk": talk, "hold": hold, "rounds": rounds}
    programs[sys.argv[1]](*sys.argv[2:])
