"""The command line in a process that dies at one point of the road: CRASH_AT="after Claim", "before Commit", …

    CRASH_AT="before Commit" python -m tests.apps.crashing worker --app …

It dies at that point the first time, as by kill -9.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

from lion_broker.__main__ import main
from lion_broker.broker.exchange import RedisExchange
from lion_broker.mail.verbs import Verb

ask = RedisExchange.acall_all


async def ask_and_die(self: RedisExchange, verbs: Sequence[Verb[Any]], /) -> list[Any]:
    """Ask the exchange, unless this is the end."""
    moment, name = os.environ["CRASH_AT"].split()
    last = any(type(verb).__name__ == name for verb in verbs)
    if last and moment == "before":
        os._exit(9)
    answers = await ask(self, verbs)
    if last and moment == "after":
        os._exit(9)
    return answers


if __name__ == "__main__":
    RedisExchange.acall_all = ask_and_die  # type: ignore[method-assign]  # the point of this program
    sys.exit(main())
