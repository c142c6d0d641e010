"""The command line in a process that ends, or falls asleep, at one point of the road.

    CRASH_AT="before Commit" python -m tests.apps.crashing worker --app …

CRASH_AT is "before" or "after" and the name of a verb; "Step.intent" and "Step.result" are the two halves of `Step`:
what is between them is the call outside. A `ReadReady` counts when it hands out a mail. It happens the first time, or
at the occurrence CRASH_ON. CRASH_HOW is "exit" (as by kill -9) or "stop": the whole process sleeps until somebody sends
SIGCONT, and goes on as if nothing had been.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from itertools import count
from typing import Any

from lion_broker.__main__ import main
from lion_broker.broker.exchange import RedisExchange
from lion_broker.mail.verbs import Step, Verb

ask = RedisExchange.acall_all
occurrences = count(1)


def name_of(verb: Verb[Any]) -> str:
    """What a verb is called in CRASH_AT."""
    name = type(verb).__name__
    return f"{name}.{'result' if verb.body else 'intent'}" if isinstance(verb, Step) else name


def end() -> None:
    """End, or fall asleep, if it is time."""
    if next(occurrences) != int(os.environ.get("CRASH_ON", "1")):
        return
    if os.environ.get("CRASH_HOW", "exit") == "exit":
        os._exit(9)
    os.kill(os.getpid(), signal.SIGSTOP)


async def ask_and_die(self: RedisExchange, verbs: Sequence[Verb[Any]], /, **way: Any) -> list[Any]:
    """Ask the exchange, unless this is the end."""
    moment, name = os.environ["CRASH_AT"].split()
    last = any(name in (type(verb).__name__, name_of(verb)) for verb in verbs)
    if last and moment == "before":
        end()
    answers = await ask(self, verbs, **way)
    if name == "ReadReady":
        last = last and any(ready.given for ready in answers[0])
    if last and moment == "after":
        end()
    return answers


if __name__ == "__main__":
    RedisExchange.acall_all = ask_and_die  # type: ignore[method-assign]  # the point of this program
    sys.exit(main())
