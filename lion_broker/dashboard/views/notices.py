"""What needs somebody: told first, with what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lion_broker.core.numbers import counted
from lion_broker.insight.durations import duration
from lion_broker.insight.overview import Overview
from lion_broker.insight.reasons import lost_among, paused_in, still_among, versions_among

__all__ = ["Notice", "notices"]

_LONG_SECONDS: Final = 60.0
_MOST: Final = 6
_MOST_PAUSED: Final = 3


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing: in words, what to do about it as a command, and the page below the dashboard where it is."""

    text: str
    command: str = ""
    page: str = ""


def notices(seen: Overview) -> list[Notice]:
    """Return what needs somebody, the worst first; nothing where all is well."""
    # What somebody has meant is said before what is wrong, which may come of it.
    resting = [paused for pool in seen.pools if (paused := paused_in(pool)) is not None]
    found = [Notice(one.text, one.command, "/mailboxes?state=paused") for one in resting[:_MOST_PAUSED]]
    for pool in seen.pools:
        if pool.ready and not pool.workers:
            waits = counted(pool.ready, "branch waits", "branches wait")
            text = f"{waits} in the pool {pool.pool}, and no worker serves it."
            found.append(Notice(text, f"lion-broker worker --app MODULE:NAME --pool {pool.pool}", "/workers"))
        elif pool.ready and pool.oldest_seconds > _LONG_SECONDS:
            waited = duration(round(pool.oldest_seconds))
            text = f"A branch of the pool {pool.pool} has waited for {waited}: its workers are busy."
            found.append(Notice(text, f"lion-broker scale {pool.pool} {pool.workers * 2}", "/workers"))
        if pool.wanted is not None and pool.workers < pool.wanted:
            text = f"The pool {pool.pool} is to have {counted(pool.wanted, 'worker')} and has {pool.workers:,}."
            found.append(Notice(text, "", "/workers"))
    if seen.dead:
        what = counted(seen.dead, "dead letter waits", "dead letters wait")
        found.append(Notice(f"{what} for somebody to look at.", "", "/dead"))
    if lost := lost_among(seen.workers, seen.pools, seen.at):
        found.append(Notice(lost.text, lost.command, "/workers?state=lost"))
    if still := still_among(seen.workers):
        found.append(Notice(still.text, still.command, "/workers"))
    if versions := versions_among(seen.workers):
        found.append(Notice(versions.text, versions.command, "/workers"))
    return found[:_MOST]
