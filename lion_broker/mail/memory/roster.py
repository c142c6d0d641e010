"""Sessions and branches come and go."""

from __future__ import annotations

from lion_broker.mail import verbs as v
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import BranchSeed, Stamp

from .store import Branch, Pool, Session, Store, Stream, with_owner

__all__ = ["close_branch", "create_branch", "create_session", "delete_session", "update_session"]


def create_session(store: Store, verb: v.CreateSession) -> Outcome:
    """A session, and a place for its own mail that is a branch in all but the roster."""
    if verb.session in store.sessions:
        return Outcome.DUPLICATE
    own = Branch(BranchSeed(verb.session))
    store.sessions[verb.session] = Session(
        verb.session, dict(verb.fields), verb.cap, verb.cap_bytes, {verb.session: own}
    )
    return Outcome.OK


def update_session(store: Store, verb: v.UpdateSession) -> Outcome:
    """New values for some fields."""
    if session := store.sessions.get(verb.session):
        session.fields |= verb.fields
        return Outcome.OK
    return Outcome.UNKNOWN


def delete_session(store: Store, verb: v.DeleteSession) -> bool:
    """A bounded number of branches, and at last the session."""
    session = store.sessions.get(verb.session)
    if session is None:
        return False
    for name in [name for name in session.branches if name != session.id][: verb.limit]:
        store.unmark(session.branches.pop(name))
    if len(session.branches) > 1:
        return True
    del store.sessions[session.id]
    return False


def create_branch(store: Store, verb: v.CreateBranch) -> Outcome:
    """A branch whose log begins with the records; a local one belongs to its creator."""
    session = store.sessions.get(verb.session)
    if session is None:
        return Outcome.UNKNOWN
    if verb.seed.id in session.branches:
        return Outcome.DUPLICATE
    if verb.copies:
        if verb.copies not in session.branches:
            return Outcome.UNKNOWN
        session.branches[verb.copies].copied += 1
    branch = session.branches[verb.seed.id] = Branch(verb.seed, copies=verb.copies)
    if verb.records:
        branch.write(verb.records, Stamp(store.now(), with_owner((), verb.owner)))
    if verb.seed.pool:
        branch.paused = store.pools.setdefault(verb.seed.pool, Pool()).pause
    if verb.token and not verb.seed.pool:
        branch.lease(verb.token, verb.owner, verb.lease_ms)
    store.tell(session, "created", {"branch": branch.id, "name": verb.seed.name, "pool": verb.seed.pool})
    if branch.paused:
        store.tell(session, "paused", {"branch": branch.id, "reason": branch.paused})
    return Outcome.OK


def close_branch(store: Store, verb: v.CloseBranch) -> Outcome:
    """No more mail for a branch; what waits for it is kept as dead letters, and its owner's token is void."""
    found = store.find(verb.session, verb.branch)
    if found is None:
        return Outcome.UNKNOWN
    session, branch = found
    was_open = branch.open
    again = bool(verb.nonce) and branch.closer == verb.nonce
    if was_open:
        if not branch.seed.pool and branch.leased and branch.token != verb.token:
            return Outcome.HELD
        branch.open, branch.closer = False, verb.nonce
        store.end_lease(session, branch)
        store.tell(session, "closed", {"branch": branch.id})
        session.counters["inflight"] -= len(branch.mailbox) + branch.deferred
        session.counters["delayed"] -= len(branch.delayed)
        lanes = [lane.mails for lane in branch.lanes.values()]
        late = [one.mail for one in branch.delayed]
        branch.lanes, branch.delayed, branch.paused = {}, [], ""
        for station in (*lanes, branch.mailbox, branch.inbox, session.transits.pop(branch.id, Stream())):
            late += [station.pop(entry) for entry, _ in station.after()]
        for mail in late:
            store.refuse(session, mail, Outcome.CLOSED)
    if verb.delete:
        branch.doomed = True
        _drop_log(session, branch)
    return Outcome.OK if was_open or again else Outcome.CLOSED


def _drop_log(session: Session, branch: Branch) -> None:
    """Delete the log of a branch that is to go, and then of those that only its log kept."""
    if not branch.doomed or branch.copied:
        return
    branch.log.clear()
    if original := session.branches.get(branch.copies):
        branch.copies = ""
        original.copied -= 1
        _drop_log(session, original)
