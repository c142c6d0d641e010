"""Turns: who owns a branch, what it is given, and how everything that a turn did takes effect at once."""

from __future__ import annotations

from collections import Counter

from lion_broker.mail import verbs as v
from lion_broker.mail.answers import Stepped, Swept
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import START, Claimed, Committed, Deferral, Dispatched, Entry, Reply, Stamp, is_after
from lion_broker.mail.waiting import STOPPED
from lion_broker.mail.wire import WireMail

from .store import Branch, Lane, Session, Store, Stream, page, with_owner

__all__ = ["cancel", "claim", "commit", "dispatch", "release", "renew", "say", "step", "sweep"]


def claim(store: Store, verb: v.Claim) -> Claimed:
    """A lease and the first mails. HELD acknowledges nothing: if the holder dies, the entry must be there."""
    found = store.find(verb.session, verb.branch)
    if found is None:
        return Claimed(Outcome.UNKNOWN)
    session, branch = found
    now = store.now()
    if word := _claim_refusal(branch, verb):
        if word is Outcome.PAUSED:
            store.end_lease(session, branch)
        return Claimed(word, branch.cursor, branch.version, now=now)
    again = branch.leased
    if branch.unused:
        # What came with the entry was not used.
        branch.handed, branch.tries = START, 0
    if not branch.seed.pool:
        branch.lease(verb.token, verb.owner, verb.lease_ms)
        return Claimed(Outcome.OK, branch.cursor, branch.version, 0, branch.seed.behaviour, now=now)
    if not again:
        if branch.tries and not branch.lane:
            # The head of the mailbox was with the owner before; one whose turn was of a lane has not had it.
            branch.tried_by = with_owner(branch.tried_by, store.owner_of(branch))
        branch.lease(verb.token, verb.owner, verb.lease_ms)
        # A turn that was cut is done again first: its calls are recorded until a commit.
        branch.lane = branch.lane if branch.steps else branch.due_lane(now)
    if branch.lane:
        entries, attempts = _hand_out_lane(session, branch, branch.lane, verb.batch, again=again)
    else:
        entries = _hand_out(session, branch, verb.batch, again=again)
        attempts = branch.tries
    return Claimed(
        Outcome.OK, branch.cursor, branch.version, attempts, branch.seed.behaviour, entries, now, branch.lane,
        frozenset(branch.lanes),
    )  # fmt: skip


def _claim_refusal(branch: Branch, verb: v.Claim) -> Outcome | None:
    if not branch.open:
        return Outcome.CLOSED
    if branch.leased:
        return None if branch.token == verb.token else Outcome.HELD
    if branch.seed.pool and verb.entry != branch.mark:
        return Outcome.GONE
    return Outcome.PAUSED if branch.paused else None


def _hand_out(session: Session, branch: Branch, batch: int, *, again: bool) -> tuple[Entry, ...]:
    """The first mails; one that was handed out before comes alone and counts one attempt more."""
    entries = page(branch.mailbox, branch.cursor, batch)
    if not entries:
        return ()
    if is_after(entries[0].id, branch.handed):
        branch.handed, branch.tries = entries[-1].id, 1
        return entries
    if not again:
        branch.tries += 1
        session.counters["redelivered"] += 1
    return entries[:1]


def _hand_out_lane(
    session: Session, branch: Branch, name: str, batch: int, *, again: bool
) -> tuple[tuple[Entry, ...], int]:
    """The first mails of a lane: what was tried before comes alone."""
    lane = branch.lanes[name]
    if not again:
        lane.attempts += 1
        lane.owners = with_owner(lane.owners, branch.owner)
        session.counters["redelivered"] += lane.attempts > 1
    branch.lane = name
    return page(lane.mails, START, 1 if lane.attempts > 1 else batch), lane.attempts


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
    session, branch = found
    store.reply(session, Reply(verb.client, verb.in_reply_to, verb.body))
    if verb.text:
        told = {"branch": branch.id, "mail": verb.in_reply_to, "at": str(verb.at), "text": verb.text}
        store.tell(session, "said", told)
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
        return Committed(word, branch.cursor, branch.version, now=store.now())
    if verb.strict and (full := _full(session, verb.mails)):
        return Committed(Outcome.FULL, branch.cursor, branch.version, behaviour=full, now=store.now())
    owner, now = store.owner_of(branch), store.now()
    branch.owner = owner
    owners = with_owner(branch.lanes[verb.lane].owners if verb.lane else branch.tried_by, owner)
    branch.paused = verb.pause or branch.paused
    _settle(store, session, branch, verb, now, owners)
    _dispatch(store, session, branch, verb.mails)
    branch.write(verb.records, Stamp(now, owners, verb.consumed if verb.consumed != verb.cursor else ""))
    branch.cursor, branch.nonce = verb.consumed, verb.nonce
    branch.steps.clear()
    for reply in verb.replies:
        store.reply(session, reply)
    session.counters["applied"] += verb.handled
    answer = _go_on(store, session, branch, verb, now)
    fields = {
        "branch": branch.id,
        "owner": owner,
        "version": str(branch.version),
        "cursor": branch.cursor,
        "handled": str(verb.handled),
        "sent": str(len(verb.mails)),
        "deferred": str(len(verb.deferred)),
    }
    store.tell(session, "turn", fields)
    if verb.pause:
        store.tell(session, "paused", {"branch": branch.id, "reason": verb.pause})
    return answer


def dispatch(store: Store, verb: v.Dispatch) -> Dispatched:
    """Decide without writing, then write without failing."""
    found = store.find(verb.session, verb.branch)
    if found is None:
        return Dispatched(Outcome.FENCED if verb.session in store.sessions else Outcome.UNKNOWN)
    session, branch = found
    if branch.token != verb.token:
        return Dispatched(Outcome.FENCED, branch.version)
    if branch.version > verb.version and branch.nonce == verb.nonce:
        return Dispatched(Outcome.ALREADY, branch.version)
    if branch.version != verb.version or (verb.follows and branch.nonce != verb.nonce):
        return Dispatched(Outcome.STALE, branch.version)
    if full := _full(session, verb.mails):
        return Dispatched(Outcome.FULL, branch.version, full)
    owner = store.owner_of(branch)
    branch.lease(branch.token, branch.owner, verb.lease_ms)
    branch.write(verb.records, Stamp(store.now(), with_owner((), owner)))
    branch.nonce = verb.nonce
    _dispatch(store, session, branch, verb.mails)
    fields = {"branch": branch.id, "owner": owner, "version": str(branch.version), "cursor": branch.cursor}
    store.tell(session, "turn", {**fields, "handled": "0", "sent": str(len(verb.mails)), "deferred": "0"})
    return Dispatched(Outcome.OK, branch.version)


def _commit_refusal(branch: Branch, verb: v.Commit) -> Outcome | None:
    """The word that refuses a turn: fence, repeat, place, in this order."""
    if branch.token != verb.token:
        return Outcome.FENCED
    if branch.version == verb.version + 1 and branch.nonce == verb.nonce:
        return Outcome.ALREADY
    fits = (
        branch.version == verb.version
        and branch.cursor == verb.cursor
        and _ends_well(branch, verb)
        and all(entry in branch.inbox for entry in verb.taken)
        and all(_is_of_turn(branch, verb, entry) for entry in verb.aside)
        and all(
            burial.entry in branch.inbox if burial.inbox else _is_of_turn(branch, verb, burial.entry)
            for burial in verb.buried
        )
        and all(_may_be_deferred(branch, verb, deferral) for deferral in verb.deferred)
    )
    return None if fits else Outcome.STALE


def _full(session: Session, mails: tuple[WireMail, ...]) -> str:
    """The first recipient that has no room for what is to go straight to it, or an empty text."""
    coming: dict[str, list[WireMail]] = {}
    for mail in mails:
        name = mail.header.recipient
        if (session.auto or mail.direct) and not session.refusal(name):
            coming.setdefault(name, []).append(mail)
            if not session.has_room(name, coming[name]):
                return name
    return ""


def _source(branch: Branch, verb: v.Commit) -> Stream[WireMail]:
    """What the turn worked on: the mailbox, or a lane."""
    return branch.lanes[verb.lane].mails if verb.lane else branch.mailbox


def _ends_well(branch: Branch, verb: v.Commit) -> bool:
    if not verb.lane:
        return verb.consumed == verb.cursor or verb.consumed in branch.mailbox
    return verb.lane == branch.lane and (verb.lane_done == START or verb.lane_done in _source(branch, verb))


def _is_of_turn(branch: Branch, verb: v.Commit, entry: str) -> bool:
    return entry in _source(branch, verb) and not is_after(entry, verb.lane_done if verb.lane else verb.consumed)


def _may_be_deferred(branch: Branch, verb: v.Commit, deferral: Deferral) -> bool:
    """What fails in a lane stays at its head, and so is not among what was handled."""
    if not verb.lane:
        return _is_of_turn(branch, verb, deferral.entry)
    there = deferral.entry in _source(branch, verb) and deferral.lane == verb.lane
    return there and is_after(deferral.entry, verb.lane_done)


def _settle(store: Store, session: Session, branch: Branch, verb: v.Commit, now: int, owners: tuple[str, ...]) -> None:
    """Take what the turn handled out of mailbox, lane and inbox."""
    mails: dict[str, WireMail] = {}
    source, last = _source(branch, verb), verb.lane_done if verb.lane else verb.consumed
    for entry, _ in source.after(START if verb.lane else verb.cursor):
        if not is_after(entry, last):
            mails[entry] = source.pop(entry)
            session.counters["inflight"] -= 1
    for entry in verb.taken:
        branch.inbox.pop(entry)
    for entry in verb.aside:
        branch.inbox.append(store.new_id(), mails.pop(entry))
    for burial in verb.buried:
        mail = branch.inbox.pop(burial.entry) if burial.inbox else mails.pop(burial.entry)
        store.bury(session, branch.id, burial, mail, owners)
    if verb.lane:
        _after_lane(branch, verb, owners, now, handled=bool(mails) or last != START)
    for deferral in () if verb.lane else verb.deferred:
        new = Lane(now + deferral.pause_ms, deferral.attempts, owners)
        branch.lanes.setdefault(deferral.lane, new).mails.append(deferral.entry, mails.pop(deferral.entry))
        session.counters["inflight"] += 1


def _after_lane(branch: Branch, verb: v.Commit, owners: tuple[str, ...], now: int, *, handled: bool) -> None:
    """When a lane is to be worked off again, if anything is left of it."""
    lane = branch.lanes[verb.lane]
    if not lane.mails:
        del branch.lanes[verb.lane]
    elif verb.deferred:
        lane.due, lane.attempts = now + verb.deferred[0].pause_ms, verb.deferred[0].attempts
        lane.owners = owners
    elif handled:
        lane.due, lane.attempts, lane.owners = now, 0, ()


def _dispatch(store: Store, session: Session, branch: Branch, mails: tuple[WireMail, ...]) -> None:
    """Send what the turn sends; a recipient that refuses makes a dead letter, never a failure."""
    coming = Counter(mail.header.recipient for mail in mails)
    for mail in mails:
        recipient = mail.header.recipient
        straight = session.auto or mail.direct
        word = session.refusal(recipient)
        if not word and straight and not session.has_room(recipient, [mail], times=2):
            word = Outcome.FULL
        if word:
            store.refuse(session, mail, word)
        elif straight:
            store.accept(session, recipient, mail, straight=True, alone=coming[recipient] == 1)
        else:
            store.into_outbox(session, branch, mail)


def _go_on(store: Store, session: Session, branch: Branch, verb: v.Commit, now: int) -> Committed:
    """Hand out the next mails, or end the lease."""
    if branch.seed.pool and (not verb.batch or not branch.has_work(now)):
        store.end_lease(session, branch)
        branch.lane = ""
        return Committed(Outcome.DRAINED, branch.cursor, branch.version, now=now)
    branch.lease(branch.token, branch.owner, verb.lease_ms)
    if not branch.seed.pool:
        return Committed(Outcome.OK, branch.cursor, branch.version, now=now)
    if lane := branch.due_lane(now):
        entries, attempts = _hand_out_lane(session, branch, lane, verb.batch, again=False)
        if not verb.lane:
            branch.handed, branch.tries = branch.cursor, 0
    else:
        held = verb.after if not verb.lane and verb.after in branch.mailbox else branch.cursor
        tried = is_after(branch.handed, held)
        entries, attempts = page(branch.mailbox, held, 1 if tried else verb.batch), 1
        if not tried:
            branch.handed = entries[-1].id if entries else held
        elif verb.lane:
            attempts += branch.tries
            session.counters["redelivered"] += 1
        branch.tries, branch.lane = attempts, ""
        branch.tried_by = branch.tried_by if attempts > 1 else ()
    return Committed(
        Outcome.OK, branch.cursor, branch.version, attempts, "", entries, now, lane, frozenset(branch.lanes)
    )


def renew(store: Store, verb: v.Renew) -> tuple[Outcome, ...]:
    """An equal token is enough, also when the lease is over and nobody else has come."""
    return tuple(
        _renew(store, station, verb.lease_ms, verb.at[place] if verb.at else None)
        for place, station in enumerate(verb.stations)
    )


def _renew(store: Store, station: v.Station, lease_ms: int, at: str | None) -> Outcome:
    found = store.find(station.session, station.branch)
    if found is None or found[1].token != station.token:
        return Outcome.FENCED
    found[1].lease(station.token, found[1].owner, lease_ms)
    if at is not None:
        said = (at, station.token)
        found[1].at = found[1].at if found[1].at[:2] == said else (*said, store.now())
    return Outcome.CANCELLED if found[1].notice else Outcome.OK


def release(store: Store, verb: v.Release) -> tuple[Outcome, ...]:
    """The owner goes by itself, so no attempt is counted against the mail that waits."""
    return tuple(_release(store, station) for station in verb.stations)


def _release(store: Store, station: v.Station) -> Outcome:
    found = store.find(station.session, station.branch)
    if found is None or found[1].token not in (station.token, station.token + STOPPED):
        return Outcome.FENCED
    if lane := found[1].lanes.get(found[1].lane):
        lane.attempts = max(0, lane.attempts - 1)
    store.end_lease(*found)
    return Outcome.OK


def sweep(store: Store, verb: v.Sweep) -> Swept:
    """A new entry for each branch whose reader is gone, if it has work; the token stays until another claims."""
    pool = store.pools.get(verb.pool)
    idle = pool.idle(verb.idle_ms, verb.limit) if pool else []
    renewed = living = 0
    for ready in idle:
        session = store.sessions[ready.session]
        branch = session.branches[ready.branch]
        if branch.leased:
            store.pools[verb.pool].leave(ready.id, verb.idle_ms, branch.lease_end)
            living += 1
        else:
            _note_reader(store, branch)
            store.unmark(branch)
            if branch.has_work(store.now()):
                store.mark(session, branch)
                renewed += 1
            else:
                store.end_lease(session, branch)
    return Swept(seen=len(idle), dropped=len(idle) - renewed - living, renewed=renewed)


def _note_reader(store: Store, branch: Branch) -> None:
    """What was handed out with the entry counts as an attempt of its reader, unless that one was to claim first."""
    if branch.token != branch.mark or branch.owner:
        return
    branch.owner = store.owner_of(branch)
    if not branch.owner:
        branch.token, branch.handed, branch.tries = "", START, 0
