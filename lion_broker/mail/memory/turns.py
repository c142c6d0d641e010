"""Turns: who owns a branch, what it is given, and how everything that a turn did takes effect at once."""

from __future__ import annotations

from lion_broker.mail import verbs as v
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import Claimed, Committed, Entry, Reply, Stepped, Swept, is_after
from lion_broker.mail.wire import WireMail

from .store import Branch, Session, Store

__all__ = ["begin", "cancel", "claim", "commit", "release", "renew", "say", "step", "sweep"]


def claim(store: Store, verb: v.Claim) -> Claimed:
    """A lease and the first mails. HELD acknowledges nothing: if the holder dies, the entry must be there."""
    found = store.find(verb.session, verb.branch)
    if found is None:
        return Claimed(Outcome.UNKNOWN)
    session, branch = found
    if word := _claim_refusal(branch, verb):
        return Claimed(word, branch.cursor, branch.version)
    again = branch.leased
    if not branch.seed.pool or not again:
        branch.lease(verb.token, verb.owner, verb.lease_ms)
    entries = _hand_out(session, branch, verb.batch, again=again)
    attempts = branch.tries if entries else 0
    return Claimed(Outcome.OK, branch.cursor, branch.version, attempts, branch.seed.behaviour, entries)


def _claim_refusal(branch: Branch, verb: v.Claim) -> Outcome | None:
    if not branch.open:
        return Outcome.CLOSED
    if branch.leased:
        return None if branch.token == verb.token else Outcome.HELD
    # A branch is marked if and only if mail waits, and a mark goes with its entry: nothing needs clearing.
    return Outcome.GONE if branch.seed.pool and verb.entry != branch.mark else None


def _hand_out(session: Session, branch: Branch, batch: int, *, again: bool) -> tuple[Entry, ...]:
    """The first mails; one that was handed out before comes alone and counts one attempt more."""
    entries = branch.mails(branch.cursor, batch)
    if not entries:
        return ()
    if is_after(entries[0].id, branch.handed):
        branch.handed, branch.tries = entries[-1].id, 1
        return entries
    if not again:
        branch.tries += 1
        session.counters["redelivered"] += 1
    return entries[:1]


def begin(store: Store, verb: v.Begin) -> int:
    """One more attempt at a mail that waits."""
    found = store.find(verb.session, verb.branch)
    if found is None or found[1].token != verb.token or verb.entry not in found[1].mailbox:
        return 0
    found[1].steps.clear()
    found[1].tries += 1
    return found[1].tries


def step(store: Store, verb: v.Step) -> Stepped:
    """A call outside: its beginning, or its result."""
    found = store.find(verb.session, verb.branch)
    if found is None or found[1].token != verb.token:
        return Stepped(Outcome.FENCED)
    steps = found[1].steps
    known = steps.get(verb.name)
    if verb.body or known is None:
        steps[verb.name] = verb.body
        return Stepped(Outcome.OK)
    return Stepped(Outcome.OK, known) if known else Stepped(Outcome.ALREADY)


def say(store: Store, verb: v.Say) -> Outcome:
    """A part of an answer, from the owner only."""
    found = store.find(verb.session, verb.branch)
    if found is None or found[1].token != verb.token:
        return Outcome.FENCED
    store.reply(found[0], Reply(verb.client, verb.in_reply_to, verb.body))
    return Outcome.OK


def cancel(store: Store, verb: v.Cancel) -> Outcome:
    """Leave word for the owner, now and later."""
    found = store.find(verb.session, verb.branch)
    if found is None:
        return Outcome.UNKNOWN
    found[1].cancelled.add(verb.command)
    found[1].notice = bool(found[1].token)
    return Outcome.OK


def commit(store: Store, verb: v.Commit) -> Committed:
    """Decide without writing, then write without failing. Whether the lease is over is not asked."""
    found = store.find(verb.session, verb.branch)
    if found is None:
        return Committed(Outcome.FENCED if verb.session in store.sessions else Outcome.UNKNOWN)
    session, branch = found
    if word := _commit_refusal(branch, verb):
        return Committed(word, branch.cursor, branch.version)
    owner = branch.owner
    _settle(store, session, branch, verb)
    _dispatch(store, session, branch, verb.mails)
    branch.write(verb.records)
    branch.cursor, branch.nonce = verb.consumed, verb.nonce
    branch.steps.clear()
    for reply in verb.replies:
        store.reply(session, reply)
    session.counters["applied"] += verb.handled
    answer = _go_on(store, session, branch, verb)
    fields = {
        "branch": branch.id,
        "owner": owner,
        "version": str(branch.version),
        "cursor": branch.cursor,
        "handled": str(verb.handled),
        "sent": str(len(verb.mails)),
    }
    store.tell(session, "turn", fields)
    return answer


def _commit_refusal(branch: Branch, verb: v.Commit) -> Outcome | None:
    """The word that refuses a turn: fence, repeat, place, in this order."""
    if branch.token != verb.token:
        return Outcome.FENCED
    if branch.version == verb.version + 1 and branch.nonce == verb.nonce:
        return Outcome.ALREADY
    fits = (
        branch.version == verb.version
        and branch.cursor == verb.cursor
        and (verb.consumed == verb.cursor or verb.consumed in branch.mailbox)
        and all(entry in branch.inbox for entry in verb.taken)
        and all(_is_of_turn(branch, verb, entry) for entry in verb.aside)
        and all(
            burial.entry in branch.inbox if burial.inbox else _is_of_turn(branch, verb, burial.entry)
            for burial in verb.buried
        )
    )
    return None if fits else Outcome.STALE


def _is_of_turn(branch: Branch, verb: v.Commit, entry: str) -> bool:
    return entry in branch.mailbox and not is_after(entry, verb.consumed)


def _settle(store: Store, session: Session, branch: Branch, verb: v.Commit) -> None:
    """Take what the turn consumed out of mailbox and inbox."""
    mails: dict[str, WireMail] = {}
    for entry, _ in branch.mailbox.after(verb.cursor):
        if not is_after(entry, verb.consumed):
            mails[entry] = branch.mailbox.pop(entry)
            session.counters["inflight"] -= 1
    for entry in verb.taken:
        branch.inbox.pop(entry)
    for entry in verb.aside:
        branch.inbox.append(store.new_id(), mails.pop(entry))
    for burial in verb.buried:
        mail = branch.inbox.pop(burial.entry) if burial.inbox else mails.pop(burial.entry)
        store.bury(session, branch.id, burial.reason, burial.detail, mail, burial.attempts, branch.owner)


def _dispatch(store: Store, session: Session, branch: Branch, mails: tuple[WireMail, ...]) -> None:
    """Send what the turn sends; a recipient that refuses makes a dead letter, never a failure."""
    for mail in mails:
        recipient = mail.header.recipient
        straight = session.auto or mail.direct
        word = session.refusal(recipient)
        if not word and straight and not session.has_room(recipient):
            word = Outcome.FULL
        if word:
            store.refuse(session, mail, word)
        elif straight:
            store.deliver(session, recipient, mail, straight=True)
        else:
            branch.outbox.append(store.new_id(), mail)


def _go_on(store: Store, session: Session, branch: Branch, verb: v.Commit) -> Committed:
    """Hand out the next mails, or end the lease."""
    if branch.seed.pool and (not verb.batch or not branch.mailbox):
        store.end_lease(session, branch)
        return Committed(Outcome.DRAINED, branch.cursor, branch.version)
    branch.lease(branch.token, branch.owner, verb.lease_ms)
    held = verb.after if verb.after in branch.mailbox else branch.cursor
    tried = is_after(branch.handed, held)
    entries = branch.mails(held, 1 if tried else verb.batch) if branch.seed.pool else ()
    if not tried:
        branch.handed = entries[-1].id if entries else held
    branch.tries = 1
    return Committed(Outcome.OK, branch.cursor, branch.version, entries)


def renew(store: Store, verb: v.Renew) -> tuple[Outcome, ...]:
    """An equal token is enough, also when the lease is over and nobody else has come."""
    return tuple(_renew(store, station, verb.lease_ms) for station in verb.stations)


def _renew(store: Store, station: v.Station, lease_ms: int) -> Outcome:
    found = store.find(station.session, station.branch)
    if found is None or found[1].token != station.token:
        return Outcome.FENCED
    found[1].lease(station.token, found[1].owner, lease_ms)
    return Outcome.CANCELLED if found[1].notice else Outcome.OK


def release(store: Store, verb: v.Release) -> tuple[Outcome, ...]:
    """The owner goes by itself, so no attempt is counted against the mail that waits."""
    return tuple(_release(store, station) for station in verb.stations)


def _release(store: Store, station: v.Station) -> Outcome:
    found = store.find(station.session, station.branch)
    if found is None or found[1].token != station.token:
        return Outcome.FENCED
    store.end_lease(*found)
    return Outcome.OK


def sweep(store: Store, verb: v.Sweep) -> Swept:
    """A new entry for each branch whose reader is gone; the token stays until another claims.

    Every entry here is the mark of a branch that has mail, so none is ever dropped.
    """
    pool = store.pools.get(verb.pool)
    idle = pool.idle(verb.idle_ms, verb.limit) if pool else []
    renewed = 0
    for ready in idle:
        session = store.sessions[ready.session]
        branch = session.branches[ready.branch]
        if branch.leased:
            store.pools[verb.pool].leave(ready.id, verb.idle_ms, branch.lease_end)
        else:
            store.unmark(branch)
            store.mark(session, branch)
            renewed += 1
    return Swept(seen=len(idle), renewed=renewed)
