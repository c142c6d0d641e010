"""What exports read, and what imports put back."""

from __future__ import annotations

from dataclasses import replace

from lion_broker.mail import verbs as v
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import Queue, Waiting
from lion_broker.mail.verbs import IMPORTING
from lion_broker.mail.wire import WireMail

from .store import Branch, Session, Store, Stream, page

__all__ = ["read_queue", "restore"]


def read_queue(store: Store, verb: v.ReadQueue) -> tuple[Waiting, ...]:
    """A page of a queue."""
    found = store.find(verb.session, verb.branch)
    if found is None:
        return ()
    session, branch = found
    if verb.queue == Queue.DEFERRED:
        return _deferred(branch, verb)
    if verb.queue == Queue.DELAYED:
        first = int(verb.past or 0)
        late = enumerate(branch.delayed[first : first + verb.count], first + 1)
        return tuple(Waiting(verb.queue, str(place), one.mail, one.due, one.straight) for place, one in late)
    stream = _stream(session, branch, verb.queue)
    read = page(stream, verb.past or "0-0", verb.count)
    return tuple(Waiting(verb.queue, one.id, one.mail, session.due.get(_id(one.mail), 0)) for one in read)


def _id(mail: object) -> str:
    return mail.id if isinstance(mail, WireMail) else ""


def _stream(session: Session, branch: Branch, queue: Queue) -> Stream[WireMail]:
    if queue == Queue.TRANSIT:
        return session.transits.get(branch.id, Stream())
    streams = {Queue.MAILBOX: branch.mailbox, Queue.INBOX: branch.inbox, Queue.OUTBOX: branch.outbox}
    return streams[queue]


def _deferred(branch: Branch, verb: v.ReadQueue) -> tuple[Waiting, ...]:
    first, _, entry = verb.past.rpartition("/")
    for name in sorted(branch.lanes):
        if name >= first:
            after = entry if name == first and entry else "0-0"
            if read := page(branch.lanes[name].mails, after, verb.count):
                return tuple(Waiting(verb.queue, f"{name}/{one.id}", one.mail) for one in read)
    return ()


def restore(store: Store, verb: v.Restore) -> Outcome:
    """A part of an export, once."""
    session = store.sessions.get(verb.session)
    if session is None:
        return Outcome.UNKNOWN
    last = session.counters["restored"]
    if verb.part <= last:
        return Outcome.ALREADY
    if IMPORTING not in session.fields:
        return Outcome.STALE
    if verb.part > last + 1:
        return Outcome.GAP
    if word := session.refusal(verb.branch):
        return word
    branch = session.branches[verb.branch]
    for row in verb.rows:
        branch.log.append(row)
        branch.version = row.version
    for one in verb.mails:
        if isinstance(one.mail, WireMail):
            _put(store, session, branch, one, one.mail)
    for letter in verb.dead:
        session.dead.append(letter.id, letter)
        session.counters["dead"] += 1
    session.counters["restored"] = verb.part
    if verb.done:
        del session.fields[IMPORTING]
    return Outcome.OK


def _put(store: Store, session: Session, branch: Branch, one: Waiting, mail: WireMail) -> None:
    mail = replace(mail, delay_ms=max(0, one.due - store.now()) if one.due else 0)
    if one.queue == Queue.OUTBOX:
        store.into_outbox(session, branch, mail)
    elif one.queue == Queue.TRANSIT:
        if mail.delay_ms:
            session.due[mail.id] = one.due
        session.transits.setdefault(branch.id, Stream()).append(store.new_id(), mail)
    else:
        straight = one.queue in (Queue.MAILBOX, Queue.DEFERRED) or (one.queue == Queue.DELAYED and one.straight)
        late = mail if one.queue == Queue.DELAYED else replace(mail, delay_ms=0)
        store.accept(session, branch.id, late, straight=straight)
