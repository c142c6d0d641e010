"""A process that moves the mail of a manual session on, a round for each line of standard input; it may be killed.

python -m tests.chaos.postman SESSION FILE SEED      writes "begun" and "done" into FILE around each round
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from pathlib import Path

from lion_broker import BrokerUnavailable, RoundTimeout, Session
from lion_broker.testing import wait_until

__all__: list[str] = []

PATIENT = 300.0


def opened(session: str) -> Session | None:
    """Open the session; None while no server answers."""
    try:
        return Session.open(session, timeout=3.0)
    except BrokerUnavailable:
        return None


def main() -> None:
    """Do rounds of every kind until nobody asks for more."""
    name, path, seed = sys.argv[1:]
    dice = random.Random(seed)
    session = wait_until(lambda: opened(name), PATIENT)

    def whole() -> None:
        session.collect_send_all(receive_all=True)

    def by_hand() -> None:
        session.collect()
        session.send()

    rounds: tuple[Callable[[], None], ...] = (whole, whole, by_hand, session.send, session.collect)
    with Path(path).open("a") as state:
        for _ in sys.stdin:
            state.write("begun\n")
            state.flush()
            try:
                dice.choice(rounds)()
            except (BrokerUnavailable, RoundTimeout) as error:
                sys.stderr.write(f"{error}\n")
            state.write("done\n")
            state.flush()


if __name__ == "__main__":
    main()
