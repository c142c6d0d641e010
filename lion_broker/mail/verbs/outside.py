"""What a turn does beside its commit: calls outside, parts of answers, budgets; and what is asked of it."""

from __future__ import annotations

from lion_broker.core.lean import lean
from lion_broker.mail.answers import Stepped
from lion_broker.mail.outcome import Outcome

from .verb import Verb

__all__ = ["Cancel", "Reserve", "Say", "Settle", "Step"]


@lean(frozen=True, slots=True)
class Step(Verb[Stepped]):
    """Record a call that the turn makes outside: without `body` that it begins, with it what came of it.

    `name` is the same when the turn is done again. The answer to a beginning has what an earlier turn recorded for it:
    OK with its result, OK without one when the call is new, ALREADY when it was begun and nobody knows how it ended.
    FENCED when the token is not the branch's. Records end with the commit, and with `Begin`, which starts anew.
    """

    session: str
    branch: str
    token: str
    name: str
    body: bytes = b""


@lean(frozen=True, slots=True)
class Say(Verb[Outcome]):
    """Give a client a part of an answer while the turn goes on; OK, or FENCED when the token is not the branch's.

    Parts that were said stay said when the turn is not committed: whoever takes the mail again begins anew. With
    `text`, at most 4,000 characters, whoever watches the session is told it too; `at` is its place in the answer.
    """

    session: str
    branch: str
    token: str
    client: str
    in_reply_to: str
    body: bytes
    text: str = ""
    at: int = 0


@lean(frozen=True, slots=True)
class Cancel(Verb[Outcome]):
    """Ask that a command, by the id of its mail, be dropped or stopped; OK, or UNKNOWN for an unknown branch.

    The branch's owner learns of it when it renews its lease, and before it begins a command that has waited.
    """

    session: str
    branch: str
    command: str


@lean(frozen=True, slots=True)
class Reserve(Verb[int]):
    """Take requests and tokens out of a budget that all who name it share; 0 when both were taken.

    Otherwise nothing was, and the answer says after how many milliseconds to ask again. The budget is full at first and
    fills steadily, by the exchange's clock; a limit of -1 is none. A repeat after a lost answer may take twice: then
    calls wait a little longer than they must.

    `title` is what people call the budget. `who`, at most 1,000 characters, waits with so many `calls` when nothing was
    taken, which `ReadBudgets` tells until it asks again with success, or does not ask in time.
    """

    budget: str
    requests: int
    tokens: int
    limit_requests: int = -1
    limit_tokens: int = -1
    interval_ms: int = 60_000
    title: str = ""
    who: str = ""
    calls: int = 1


@lean(frozen=True, slots=True)
class Settle(Verb[None]):
    """Take what was used beyond a reservation, or give back (negative numbers) what was not; limits as in `Reserve`.

    This may leave less than nothing in the budget.
    """

    budget: str
    requests: int
    tokens: int
    limit_requests: int = -1
    limit_tokens: int = -1
    interval_ms: int = 60_000
