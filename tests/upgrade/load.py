"""A program that goes on sending while the deployment under it is upgraded. The interpreter of a release runs it.

Its only argument is JSON: `chains`, and for a successor the `session` to take up, with the number of its `first` round.
Each round sends a mail down every chain of two branches, which ends at `home`, here. A line on stdin ends it: `leave`
with mail in flight, or `finish` when all of it has come. It prints its session as JSON, and at its end the next round.
"""

from __future__ import annotations

import json
import select
import sys

from lion_broker import Session

ROUND_SECONDS = 0.05


def begin(plan: dict[str, object]) -> Session:
    """Make the session and its chains, or take it up as another program has left it."""
    if plan["session"]:
        return Session.open(str(plan["session"]), host=True)
    session = Session(name="load", delivery="auto")
    to = session.new_branch(name="home").id
    for chain in range(int(str(plan["chains"]))):
        last = session.new_branch(name=f"last{chain}", pool="hops", behaviour="hop", metadata={"to": to})
        session.new_branch(name=f"first{chain}", pool="hops", behaviour="hop", metadata={"to": last.id})
    return session


def run(session: Session, chains: int, number: int) -> int:
    """Send and receive until there is a word on stdin; returns the number of the next round."""
    home = session.get_branch("home")
    word = ""
    while not word:
        for chain in range(chains):
            home.send(session.get_branch(f"first{chain}"), "message", f"home{chain}:{number}")
        number += 1
        home.receive_all()
        if select.select([sys.stdin], [], [], ROUND_SECONDS)[0]:
            word = sys.stdin.readline().strip() or "leave"
    if word == "finish":
        session.wait_idle(timeout=60)
        home.receive_all()
    return number


def say(**told: object) -> None:
    """Tell whoever has started this."""
    sys.stdout.write(f"{json.dumps(told)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    plan = json.loads(sys.argv[1])
    with begin(plan) as session:
        say(session=str(session.id))
        said = run(session, plan["chains"], plan["first"])
    say(next=said)
