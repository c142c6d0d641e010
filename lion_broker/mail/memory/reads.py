"""What is read; only the reading of ready entries changes anything, namely who has read them."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace

from lion_broker.mail import verbs as v
from lion_broker.mail.records import (
    START,
    BranchRecord,
    DeadLetter,
    Entry,
    LogRecord,
    Occurrence,
    ReadyEntry,
    Reply,
    SessionRecord,
    gap,
    is_after,
)
from lion_broker.mail.waiting import STOPPED, Waiting, WaitsAt
from lion_broker.mail.wire import WireMail

from .store import Branch, Pool, Store, Stream, page

__all__ = [
    "await_reply",
    "drop_replies",
    "list_sessions",
    "progress",
    "read_branches",
    "read_dead",
    "read_events",
    "read_inbox",
    "read_log",
    "read_ready",
    "read_session",
    "read_waiting",
]

_COUNTERS = ("posted", "applied", "redelivered", "dead", "inflight", "delayed")


def read_session(store: Store, verb: v.ReadSession) -> SessionRecord | None:
    """Fields, counters and the number of open branches."""
    session = store.sessions.get(verb.session)
    if session is None:
        return None
    counters = {name: session.counters[name] for name in _COUNTERS}
    return SessionRecord(
        session.id, dict(session.fields), counters, len(session.roster), session.cap, session.cap_bytes
    )


def list_sessions(store: Store, verb: v.ListSessions) -> tuple[str, ...]:
    """Ids, oldest first."""
    return tuple(store.sessions)


def read_branches(store: Store, verb: v.ReadBranches) -> tuple[BranchRecord, ...]:
    """Branches by id, or a page of the roster."""
    session = store.sessions.get(verb.session)
    if session is None:
        return ()
    if verb.ids is None:
        return tuple(_describe(store, branch) for branch in session.roster[verb.start : verb.start + verb.count])
    return tuple(_describe(store, session.branches[name]) for name in verb.ids if name in session.branches)


def _describe(store: Store, branch: Branch) -> BranchRecord:
    owner = store.owner_of(branch)
    at, whose, at_since = branch.at
    is_told = at != "" and whose == branch.token
    return BranchRecord(
        seed=branch.seed,
        state="open" if branch.open else "closed",
        owner=owner,
        leased=branch.leased or (branch.unused and owner != ""),
        cursor=branch.cursor,
        version=branch.version,
        waiting=len(branch.mailbox),
        inbox=len(branch.inbox),
        outbox=len(branch.outbox),
        deferred=branch.deferred,
        handed=branch.handed,
        tries=branch.tries,
        tried_by=branch.tried_by,
        delayed=len(branch.delayed),
        paused=branch.paused,
        copies=branch.copies,
        lane=branch.lane,
        at=at if is_told else "",
        at_since=at_since if is_told else 0,
        stopped=branch.token.endswith(STOPPED),
    )


def read_ready(store: Store, verb: v.ReadReady) -> tuple[ReadyEntry, ...]:
    """Entries that nobody has read; now they are this reader's, until a sweep gives them away."""
    ahead = verb.seats is not None and verb.seats < verb.count
    pool = store.pools.setdefault(verb.pool, Pool())
    return pool.take(verb.count, "" if ahead else verb.owner, overflow=verb.overflow)


def read_log(store: Store, verb: v.ReadLog) -> tuple[LogRecord, ...]:
    """A page of a branch's log."""
    found = store.find(verb.session, verb.branch)
    if found is None:
        return ()
    log = found[1].log
    first = bisect_right(log, (verb.version, verb.place), key=lambda record: (record.version, record.place))
    return tuple(log[first : first + verb.count])


def read_inbox(store: Store, verb: v.ReadInbox) -> tuple[Entry, ...]:
    """A page of a branch's inbox."""
    found = store.find(verb.session, verb.branch)
    return tuple(Entry(*entry) for entry in found[1].inbox.after(verb.after, verb.count)) if found else ()


def read_waiting(store: Store, verb: v.ReadWaiting) -> tuple[Waiting, ...]:
    """A page of what waits at a station of a branch."""
    found = store.find(verb.session, verb.branch)
    if found is None:
        return ()
    session, branch = found
    if verb.where is WaitsAt.LANES:
        return _of_lanes(branch, verb)
    if verb.where is WaitsAt.DELAYED:
        rows = [
            Waiting(f"{one.due}-{one.number}", _read(verb, one.mail), due=one.due, straight=one.straight)
            for one in branch.delayed
        ]
        return tuple(row for row in rows if is_after(row.place, verb.after))[: verb.count]
    stations = {
        WaitsAt.MAILBOX: branch.mailbox,
        WaitsAt.INBOX: branch.inbox,
        WaitsAt.OUTBOX: branch.outbox,
        WaitsAt.TRANSIT: session.transits.get(branch.id, Stream()),
    }
    return tuple(
        Waiting(entry.id, _read(verb, entry.mail), due=session.due.get(entry.mail.id, 0))
        for entry in page(stations[verb.where], verb.after, verb.count)
        if isinstance(entry.mail, WireMail)
    )


def _of_lanes(branch: Branch, verb: v.ReadWaiting) -> tuple[Waiting, ...]:
    """A page of one lane, the first that has one."""
    for name in sorted(lane for lane in branch.lanes if lane >= verb.lane):
        lane, after = branch.lanes[name], verb.after if name == verb.lane else START
        if found := page(lane.mails, after, verb.count):
            tried = [lane.attempts if after == START else 0, *(0 for _ in found[1:])]
            return tuple(
                Waiting(entry.id, _read(verb, entry.mail), name, lane.due, attempts)
                for entry, attempts in zip(found, tried, strict=True)
                if isinstance(entry.mail, WireMail)
            )
    return ()


def _read(verb: v.ReadWaiting | v.ReadDead, mail: WireMail) -> WireMail:
    """A mail, without what travels beside it unless that is asked for."""
    return replace(mail, body=b"", value=None) if mail.header.blob and not verb.whole else mail


def read_dead(store: Store, verb: v.ReadDead) -> tuple[DeadLetter, ...]:
    """A page of the dead letters."""
    session = store.sessions.get(verb.session)
    letters = [letter for _, letter in session.dead.after(verb.after, verb.count)] if session else []
    return tuple(replace(one, mail=_read(verb, one.mail)) if one.mail else one for one in letters)


def read_events(store: Store, verb: v.ReadEvents) -> tuple[Occurrence, ...]:
    """A page of the live tail, or its tip."""
    session = store.sessions.get(verb.session)
    if verb.after == "$":
        return (Occurrence(session.events.newest if session else START, "tip", {}),)
    if session is None:
        return ()
    found = tuple(event for _, event in session.events.after(verb.after, verb.count))
    oldest = session.events.after(limit=1)
    if verb.gaps and session.forgotten and verb.after != START and is_after(oldest[0][0], verb.after):
        return (gap(verb.after, oldest[0][0]), *found)
    return found


def progress(store: Store, verb: v.Progress) -> tuple[str, ...]:
    """The open branches that have not come past their target, or have mail to try again."""
    behind = []
    for name, target in verb.targets.items():
        found = store.find(verb.session, name)
        # What was withdrawn the cursor never comes past.
        if found and found[1].open and (found[1].lanes or _holds_upto(found[1], target)):
            behind.append(name)
    return tuple(behind)


def _holds_upto(branch: Branch, entry: str) -> bool:
    first = branch.mailbox.after(limit=1)
    return bool(first) and not is_after(first[0][0], entry)


def await_reply(store: Store, verb: v.AwaitReply) -> tuple[Reply, ...]:
    """The replies that a client has not seen."""
    session = store.sessions.get(verb.session)
    replies = session.replies.get(verb.client) if session else None
    return tuple(reply for _, reply in replies.after(verb.after)) if replies is not None else ()


def drop_replies(store: Store, verb: v.DropReplies) -> None:
    """Forget what clients were told."""
    session = store.sessions.get(verb.session)
    if session is not None:
        for client in verb.clients:
            session.replies.pop(client, None)


def read_cancelled(store: Store, verb: v.ReadCancelled) -> frozenset[str]:
    """The commands that were cancelled."""
    found = store.find(verb.session, verb.branch)
    return frozenset(found[1].cancelled) if found else frozenset()
