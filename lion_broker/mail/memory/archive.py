"""What an import puts back."""

from __future__ import annotations

from dataclasses import replace

from lion_broker.mail import verbs as v
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.verbs import IMPORTING
from lion_broker.mail.verbs.archive import Kept
from lion_broker.mail.waiting import WaitsAt

from .store import Branch, Session, Store, Stream

__all__ = ["restore"]


def restore(store: Store, verb: v.Restore) -> Outcome:
    """A part of an export, once."""
    session = store.sessions.get(verb.session)
    if session is None:
        return Outcome.UNKNOWN
    if word := _refused(session, verb):
        return word
    branch = session.branches[verb.branch]
    for row in verb.rows:
        branch.log.append(row)
        branch.version = row.version
    for one in verb.mails:
        _put(store, session, branch, verb.where, one)
    for letter in verb.dead:
        session.dead.append(letter.id, letter)
        session.counters["dead"] += 1
    session.counters["restored"] = verb.part
    if verb.done:
        del session.fields[IMPORTING]
    return Outcome.OK


def _refused(session: Session, verb: v.Restore) -> Outcome | None:
    last = session.counters["restored"]
    if verb.part <= last:
        return Outcome.ALREADY
    if IMPORTING not in session.fields:
        return Outcome.STALE
    return Outcome.GAP if verb.part > last + 1 else session.refusal(verb.branch)


def _put(store: Store, session: Session, branch: Branch, where: WaitsAt, one: Kept) -> None:
    delay_ms = max(0, one.due - store.now()) if one.due else 0
    if where is WaitsAt.OUTBOX:
        store.into_outbox(session, branch, replace(one.mail, delay_ms=delay_ms))
    elif where is WaitsAt.TRANSIT:
        if one.due:
            session.due[one.mail.id] = one.due
        session.transits.setdefault(branch.id, Stream()).append(store.new_id(), one.mail)
    else:
        late = replace(one.mail, delay_ms=delay_ms if where is WaitsAt.DELAYED else 0)
        straight = where in (WaitsAt.MAILBOX, WaitsAt.LANES) or (where is WaitsAt.DELAYED and one.straight)
        store.accept(session, branch.id, late, straight=straight)
