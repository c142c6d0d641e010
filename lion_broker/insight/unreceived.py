"""Mail that has been delivered and that no worker takes: it waits until a program receives it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from lion_broker.mail.deployment import Tally
from lion_broker.mail.exchange import PAUSE, Steps, ask_all
from lion_broker.mail.records import SessionRecord
from lion_broker.mail.verbs import ReadBranches

from .overview import Overview

__all__ = ["unreceived_in_steps", "unreceived_steps"]

_BRANCHES: Final = 5_000
"""So many branches are looked at, about ten microseconds of the server each."""
_PAGE: Final = 500
_TOGETHER: Final = 20


def unreceived_steps(seen: Overview) -> Steps[Overview]:
    """Look at the inboxes of a deployment too; where all that was delivered has taken effect, nothing is read.

    What waits in inboxes has no counter of its own, so the branches are asked: of the sessions in which more mail was
    delivered than was applied and is in mailboxes, those with most first, and about 5,000 branches at most. A session
    costs two calls, one more for each further 500 branches.
    """
    open_ = [tally for tally in seen.tallies if _surplus(tally) > 0]
    chosen = _first(sorted(open_, key=lambda tally: (-_surplus(tally), tally.session)))
    found: dict[str, int] = {}
    for first in range(0, len(chosen), _TOGETHER):
        part = chosen[first : first + _TOGETHER]
        verbs = [verb for tally in part for verb in _looks(tally)]
        for verb, page in zip(verbs, (yield from ask_all(verbs)), strict=True):
            if waiting := sum(record.inbox for record in page):
                found[verb.session] = found.get(verb.session, 0) + waiting
        yield PAUSE
    return replace(seen, inboxes=found, unseen=len(open_) - len(chosen))


def unreceived_in_steps(record: SessionRecord) -> Steps[int | None]:
    """How many mails wait in a session until a program receives them; None where it has too many branches to look.

    Costs nothing where all that was delivered has taken effect, else two reads of 500 branches at most.
    """
    counts = record.counters
    tally = Tally(record.id, record.branches, counts["posted"], counts["applied"], inflight=counts["inflight"])
    if _surplus(tally) <= 0:
        return 0
    if record.branches > _PAGE:
        return None
    pages = yield from ask_all(_looks(tally))
    return sum(branch.inbox for page in pages for branch in page)


def _surplus(tally: Tally) -> int:
    """How much mail was delivered and is neither applied nor in a mailbox: dead, withdrawn, or in an inbox."""
    return tally.posted - tally.applied - tally.inflight


def _first(tallies: Sequence[Tally]) -> list[Tally]:
    """Those that can be looked at; the first one always."""
    chosen: list[Tally] = []
    room = _BRANCHES
    for tally in tallies:
        if chosen and tally.branches > room:
            break
        chosen.append(tally)
        room -= tally.branches
    return chosen


def _looks(tally: Tally) -> list[ReadBranches]:
    """The session's own place, which is in no roster, and its branches page by page."""
    pages = range(0, max(1, min(tally.branches, _BRANCHES)), _PAGE)
    own = ReadBranches(tally.session, (tally.session,))
    return [own, *(ReadBranches(tally.session, start=start, count=_PAGE) for start in pages)]
