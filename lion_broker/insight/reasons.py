"""Why a mail is where it is, in a sentence, and what moves it on."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from lion_broker.core.numbers import counted
from lion_broker.mail.deployment import mark_of_pool
from lion_broker.mail.records import BranchRecord
from lion_broker.mail.waiting import WaitsAt

from .durations import duration
from .views import Passage, PoolView, Trace, WorkerView

__all__ = ["Reason", "lost_among", "paused_in", "poisoned", "reason_of", "still_among", "versions_among"]

_LATE: Final = "Its time to live is over: whoever takes it up makes it a dead letter (expired), and does not handle it."
_STILL_SECONDS: Final = 1.0
_NEWS_SECONDS: Final = 120.0
"""For how long a loss is told at least."""
_GIVEN_BACK_SECONDS: Final = 15.0
"""So long after it was last heard, what a worker had is with others or waits: its lease is over, and swept."""
_TOLD: Final = 3
_BY_ROUNDS: Final = (WaitsAt.OUTBOX, WaitsAt.TRANSIT)


@dataclass(frozen=True, slots=True)
class Reason:
    """A sentence, the command that changes it, if one does, and what it is about: the `branch`, or `workers`."""

    text: str
    command: str = ""
    about: str = ""


def paused_in(pool: PoolView) -> Reason | None:
    """Return what is paused of a pool, and what resumes it; None where nothing is."""
    command = f"lion-broker branch resume --pool {pool.pool}"
    if pool.pause:
        here = f", with {counted(pool.paused, 'branch')}" if pool.paused else ""
        return Reason(f"The pool {pool.pool} is paused ({pool.pause}){here}.", command, "workers")
    if pool.paused:
        # The command resumes those that were paused with the pool, and names that of each of the others.
        are = "is" if pool.paused == 1 else "are"
        return Reason(f"{counted(pool.paused, 'branch')} of the pool {pool.pool} {are} paused.", command, "workers")
    return None


def lost_among(workers: Sequence[WorkerView], pools: Sequence[PoolView], now: float) -> Reason | None:
    """Return who was lost and when, and what becomes of what was in hand; None where nobody was.

    It is told for two minutes, and for as long as what was in hand may still wait for somebody. `now` is the server's
    time, as the moments at which they were heard are.
    """
    known = {pool.pool: pool for pool in pools}
    told = (one for one in workers if one.state == "lost" and _is_news(one, known.get(one.pool), now))
    lost = sorted(told, key=lambda one: -one.heard)
    if not lost:
        return None
    who = f"The worker {lost[0].owner} was" if len(lost) == 1 else f"{counted(len(lost), 'worker')} were"
    theirs = {one.pool for one in lost}
    busy = [pool for pool in pools if pool.pool in theirs and (pool.ready or pool.claimed)]
    alone = [pool.pool for pool in busy if not pool.workers]
    if alone:
        fate = f"nobody serves {', '.join(alone[:_TOLD])} now, and work waits there"
    elif busy:
        fate = "what was in hand goes to others of the pool"
    else:
        fate = "nothing of what was in hand is left to do"
    silent = duration(max(1, round(now - lost[0].heard)))
    moment = datetime.fromtimestamp(lost[0].heard, UTC).strftime("%H:%M:%S UTC")
    command = f"lion-broker forget {lost[0].owner if len(lost) == 1 else '--all'}"
    return Reason(f"{who} lost, last heard {silent} ago, at {moment}: {fate}.", command, "workers")


def _is_news(lost: WorkerView, pool: PoolView | None, now: float) -> bool:
    """Whether a worker was lost just now, or what was in its hands may wait for somebody yet."""
    silent = now - lost.heard
    if silent < _NEWS_SECONDS or pool is None:
        return silent < _NEWS_SECONDS
    if not pool.workers:
        return pool.ready + pool.claimed > 0
    # What it had was put behind all that waited then: when that is taken, so is this.
    return pool.ready > 0 and pool.oldest_seconds >= silent - _GIVEN_BACK_SECONDS


def still_among(workers: Sequence[WorkerView]) -> Reason | None:
    """Return whose event loop stands still, and what shows why; None where all go on."""
    worst = max(workers, key=lambda one: one.late_seconds or 0.0, default=None)
    if worst is None or worst.late_seconds is None or worst.late_seconds < _STILL_SECONDS:
        return None
    text = (
        f"The event loop of {worst.owner} stands still, for {duration(round(worst.late_seconds))} now: a behaviour"
        " there computes, or waits without await, and all its other branches wait for it."
    )
    return Reason(text, f"lion-broker mail ls --state working --worker {worst.owner}", "workers")


def versions_among(workers: Sequence[WorkerView]) -> Reason | None:
    """Return which versions are at work, and how those of one hand over; None where it is one only."""
    counts = Counter(one.version for one in workers if one.state == "running")
    if len(counts) < 2:
        return None
    told = ", ".join(f"{version} with {counted(count, 'worker')}" for version, count in sorted(counts.items()))
    return Reason(f"Several versions are at work: {told}.", "lion-broker drain --version VERSION --wait", "workers")


def poisoned(trace: Trace) -> Reason | None:
    """Return whom a mail that is dead as poison has ended, and what shows why; None for other mail.

    Who was cut off from the server for longer than a lease counts as ended.
    """
    if trace.passage.state != "dead" or not trace.passage.reason.startswith("poison:") or not trace.lost:
        return None
    last = ", ".join(trace.lost[-_TOLD:])
    if len(trace.lost) == 1:
        text = f"The worker {last} had it, and ended or was cut off without finishing it."
    else:
        which = last if len(trace.lost) <= _TOLD else f"at last {last}"
        who = counted(len(trace.lost), "worker")
        text = f"{who} had it, one after another, and each ended or was cut off without finishing it: {which}."
    return Reason(f"{text} See how they ended before it is sent again, which may end others.", about="workers")


def reason_of(
    session: str,
    passage: Passage,
    record: BranchRecord | None,
    workers: Sequence[WorkerView],
    now: float | None = None,
) -> Reason | None:
    """Return why a mail has not taken effect, by where it and its branch (`record`) stand and who is at work.

    `now` is the present moment unless it is said, in seconds since the epoch. None for mail that has taken effect, and
    for dead mail, whose letter says why.
    """
    if passage.state in ("applied", "dead"):
        return None
    now = time.time() if now is None else now
    found = _why(session, passage, record, workers, now)
    is_late = passage.expires is not None and passage.expires < now
    return replace(found, text=f"{_LATE} {found.text}") if is_late and passage.state == "waiting" else found


def _why(
    session: str, passage: Passage, record: BranchRecord | None, workers: Sequence[WorkerView], now: float
) -> Reason:
    if passage.state == "gone":
        return Reason(
            "Nothing of it is kept any more: its dead letter was dropped, or sent again in other words, or its branch"
            " was removed."
        )
    if passage.state == "sent":
        return Reason("Only its sending was read; what became of it stands in a log that was not.")
    if record is None or record.state != "open":
        return Reason("Its branch is not in the session any more.")
    if record.paused:
        text = f"{_name(record)} is paused ({record.paused})."
        pool = record.seed.pool
        which = f"--pool {pool}" if record.paused.startswith(mark_of_pool(pool)) else f"{session} {record.id}"
        return Reason(text, f"lion-broker branch resume {which}", "branch")
    if passage.state == "working":
        return Reason(_at_work(passage, record, now), "", "workers")
    if passage.state == "delayed":
        return Reason("It is to be delivered later, as its sender has asked.")
    return _waiting(session, passage, record, workers)


def _at_work(passage: Passage, record: BranchRecord, now: float) -> str:
    worker = passage.owner or "A worker"
    if passage.since is not None:
        return f"{worker} works on it now, for {duration(max(1, round(now - passage.since)))}."
    if record.at and record.at != passage.mail:
        # It was done in the same turn, and is written down at the end of that; or the turn before has ended just now.
        return f"{worker} has it in hand, and was at the mail {record.at} a moment ago."
    return f"{worker} works on it now."


def _waiting(session: str, passage: Passage, record: BranchRecord, workers: Sequence[WorkerView]) -> Reason:
    """Why it waits, where nothing is wrong with the mail itself, or it has failed and is tried again."""
    pool, name = record.seed.pool, _name(record)
    if record.id == session:
        return Reason("It waits in the session's own mailbox, for a program that has the session open.")
    if passage.where in _BY_ROUNDS:
        return Reason("Mail moves by rounds in this session: it waits for the next collect and send.")
    if not pool:
        return Reason(f"{name} lives in a program, which takes its mail with branch.receive_all().", "", "branch")
    if passage.where == WaitsAt.INBOX:
        return Reason(f"It is in the inbox of {name}, whose session receives by hand.", "", "branch")
    running = [one for one in workers if one.pool == pool and one.state == "running"]
    if not running:
        command = f"lion-broker worker --app MODULE:NAME --pool {pool}"
        return Reason(f"Nobody serves the pool {pool} of {name}.", command, "workers")
    if _nobody_knows(record.seed.behaviour, running):
        text = f"No worker of the pool {pool} has the behaviour {record.seed.behaviour}, which {name} needs."
        return Reason(text, f"lion-broker worker --app MODULE:NAME --pool {pool}", "workers")
    if passage.state == "retrying":
        return Reason("It has failed and is tried again; only later mail from the same sender waits meanwhile.")
    if record.leased:
        return Reason(f"{record.owner} works for {name}, one mail after another.", "", "branch")
    busy = sum(one.active for one in running)
    if busy >= sum(one.concurrency for one in running):
        text = f"All seats of the pool {pool} are taken: {counted(busy, 'branch is at work', 'branches are at work')}."
        return Reason(text, f"lion-broker scale {pool} {len(running) * 2}", "workers")
    return Reason(f"{name} is next: a seat of the pool {pool} is free.", "", "workers")


def _nobody_knows(behaviour: str, running: Sequence[WorkerView]) -> bool:
    """Whether all workers tell what they can do, and none can do this."""
    return behaviour != "" and all(one.behaviours is not None and behaviour not in one.behaviours for one in running)


def _name(record: BranchRecord) -> str:
    return record.seed.name or record.id
