"""What waits: for a time, because it failed or was sent with a delay; or for somebody who resumes a branch."""

from __future__ import annotations

from lion_broker.mail import verbs as v
from lion_broker.mail.answers import Promoted
from lion_broker.mail.outcome import Outcome

from .store import Branch, Session, Store

__all__ = ["pause", "promote", "resume"]


def promote(store: Store, verb: v.Promote) -> Promoted:
    """Delayed mail that is due, and branches with a lane that is."""
    now, waits = store.now(), list[int]()
    sessions = [one for one in store.sessions.values() if verb.session in ("", one.id)]
    for session in sessions:
        for branch in session.branches.values():
            while branch.delayed and branch.delayed[0].due <= now:
                due = branch.delayed.pop(0)
                session.counters["delayed"] -= 1
                store.deliver(session, branch.id, due.mail, straight=due.straight)
            if branch.due_lane(now) and branch.open:
                store.mark(session, branch)
            waits += [lane.due - now for lane in branch.lanes.values() if lane.due > now]
            waits += [branch.delayed[0].due - now] if branch.delayed else []
    return Promoted(now, 0, min(waits) if waits else None)


def pause(store: Store, verb: v.Pause) -> Outcome:
    """The mark stays until somebody claims it: only who claims knows that nobody is at work.

    One that hands out a mail and was not read is taken back: whoever reads it would begin a turn.
    """
    found = store.find(verb.session, verb.branch)
    if found is None or not found[1].open or found[1].paused:
        return _why_not(found)
    session, branch = found
    branch.paused = verb.reason
    if branch.unused and branch.mark not in store.pools[branch.seed.pool].read:
        store.end_lease(session, branch)
    store.tell(session, "paused", {"branch": branch.id, "reason": verb.reason})
    return Outcome.OK


def resume(store: Store, verb: v.Resume) -> Outcome:
    """What has failed before is tried afresh, at once."""
    found = store.find(verb.session, verb.branch)
    if found is None or not found[1].open or not found[1].paused:
        return _why_not(found)
    session, branch = found
    branch.paused = ""
    for lane in branch.lanes.values():
        lane.due, lane.attempts, lane.owners = store.now(), 0, ()
    if branch.has_work(store.now()):
        store.mark(session, branch)
    store.tell(session, "resumed", {"branch": branch.id})
    return Outcome.OK


def _why_not(found: tuple[Session, Branch] | None) -> Outcome:
    if found is None:
        return Outcome.UNKNOWN
    return Outcome.ALREADY if found[1].open else Outcome.CLOSED
