"""Mail from outside a turn, and the rounds of manual delivery: outbox, transit, inbox, mailbox."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from itertools import islice
from typing import Final

from lion_broker.mail import verbs as v
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import DeadLetter, Moved, Posted
from lion_broker.mail.wire import WireMail

from .store import Branch, Session, Store, Stream

__all__ = ["collect", "drop", "exhume", "post", "receive", "send"]

_PRODUCERS_KEPT: Final = 1000
_PRODUCER_MS: Final = 600_000


def post(store: Store, verb: v.Post) -> Posted:
    """All mails or none, once for each number of a producer."""
    session = store.sessions.get(verb.session)
    if session is None:
        return Posted(Outcome.UNKNOWN)
    digest = sha256(b"\n".join(part for mail in verb.mails for part in (mail.head, mail.body))).digest()
    if word := _known(session, verb, digest):
        return Posted(word)
    if refused := _refusal(session, verb.mails):
        return refused
    _note_post(session, verb, digest, store.now())
    coming = Counter(mail.header.recipient for mail in verb.mails)
    for mail in verb.mails:
        if session.auto or mail.direct:
            recipient = mail.header.recipient
            store.accept(session, recipient, mail, straight=True, alone=coming[recipient] == 1)
        else:
            store.into_outbox(session, session.branches[mail.header.sender], mail)
    return Posted(Outcome.OK)


def _known(session: Session, verb: v.Post, digest: bytes) -> Outcome | None:
    """The word for a number that is not the next; of older ones only that they were used is known."""
    known = session.producers.get(verb.producer) or session.producers_before.get(verb.producer)
    last, content = known or (0, b"")
    if verb.seq > last:
        return Outcome.GAP if verb.seq > last + 1 else None
    return Outcome.CONFLICT if verb.seq == last and digest != content else Outcome.DUPLICATE


def _note_post(session: Session, verb: v.Post, digest: bytes, now: int) -> None:
    """Use a number up. Where there are many producers, those go that have not posted for a while, all at once."""
    is_new = verb.producer not in session.producers
    session.producers[verb.producer] = (verb.seq, digest)
    if len(session.producers) == 1:
        session.producers_begun = now
    if is_new and len(session.producers) >= _PRODUCERS_KEPT and now - session.producers_begun >= _PRODUCER_MS:
        session.producers_before, session.producers = session.producers, {}


def _refusal(session: Session, mails: Iterable[WireMail]) -> Posted | None:
    coming: dict[str, list[WireMail]] = {}
    for mail in mails:
        recipient, sender = mail.header.recipient, mail.header.sender
        if word := session.refusal(recipient):
            return Posted(word, recipient)
        if session.auto or mail.direct:
            coming.setdefault(recipient, []).append(mail)
            if not session.has_room(recipient, coming[recipient]):
                return Posted(Outcome.FULL, recipient)
            if session.refusal(sender) is Outcome.CLOSED:
                return Posted(Outcome.CLOSED, sender)
        elif word := session.refusal(sender):
            return Posted(word, sender)
    return None


def collect(store: Store, verb: v.Collect) -> Moved:
    """Outboxes to transits."""
    session = store.sessions.get(verb.session)
    if session is None:
        return Moved(0, outcome=Outcome.UNKNOWN)
    count, dead = 0, 0
    senders = _named(session, verb.branches)
    for sender in senders:
        for entry, mail in sender.outbox.after(limit=verb.limit - count - dead):
            sender.outbox.pop(entry)
            if word := session.refusal(mail.header.recipient):
                store.refuse(session, mail, word)
                dead += 1
            else:
                session.transits.setdefault(mail.header.recipient, Stream()).append(store.new_id(), mail)
                count += 1
    return Moved(count, dead, more=any(sender.outbox for sender in senders))


def send(store: Store, verb: v.Send) -> Moved:
    """Transits and outboxes to inboxes, or mailboxes."""
    session = store.sessions.get(verb.session)
    if session is None:
        return Moved(0, outcome=Outcome.UNKNOWN)
    if verb.nonce and session.moved[0] == verb.nonce:
        return _again(session)
    dead, targets = 0, dict[str, str]()
    waiting = list(islice(_on_the_way(session, verb.recipients), verb.limit + 1))
    moving = waiting[: verb.limit]
    for source, entry in moving:
        arrived = _arrive(store, session, source.pop(entry), verb.receive)
        dead += not arrived
        targets |= {name: entry for name, entry in arrived.items() if entry}
    session.transits = {name: transit for name, transit in session.transits.items() if transit}
    return _noted(
        session, verb.nonce, Moved(len(moving) - dead, dead, more=len(waiting) > len(moving), targets=targets)
    )


def _on_the_way(session: Session, recipients: tuple[str, ...] | None) -> Iterator[tuple[Stream[WireMail], str]]:
    """Mail for some recipients, or all: collected mail first, since it is older than any in an outbox."""
    wanted = None if recipients is None else set(recipients)
    for source in (*session.transits.values(), *(branch.outbox for branch in session.branches.values())):
        for entry, mail in source.after():
            if wanted is None or mail.header.recipient in wanted:
                yield source, entry


def _arrive(store: Store, session: Session, mail: WireMail, receive: bool) -> dict[str, str]:
    """Bring one mail to its recipient, or keep it as a dead letter; who got it under which entry."""
    recipient = mail.header.recipient
    word = session.refusal(recipient)
    if not word:
        # Straight into the mailbox it would overtake what waits in the inbox.
        straight = receive and not session.branches[recipient].inbox
        if session.has_room(recipient, [mail], straight=straight, times=2):
            return {recipient: store.accept(session, recipient, mail, straight=straight)}
        word = Outcome.FULL
    store.refuse(session, mail, word)
    return {}


def receive(store: Store, verb: v.Receive) -> Moved:
    """Inboxes to mailboxes, which makes branches ready; local branches take from their inboxes themselves."""
    session = store.sessions.get(verb.session)
    if session is None:
        return Moved(0, outcome=Outcome.UNKNOWN)
    if verb.nonce and session.moved[0] == verb.nonce:
        return _again(session)
    count, targets = 0, dict[str, str]()
    branches = [branch for branch in _named(session, verb.branches) if branch.seed.pool]
    for branch in branches:
        for entry, _ in branch.inbox.after(limit=verb.limit - count):
            targets[branch.id] = store.new_id()
            store.into_mailbox(session, branch, targets[branch.id], branch.inbox.pop(entry))
            count += 1
    return _noted(session, verb.nonce, Moved(count, more=any(branch.inbox for branch in branches), targets=targets))


def _again(session: Session) -> Moved:
    answer: Moved = session.moved[1]
    return answer


def _noted(session: Session, nonce: str, answer: Moved) -> Moved:
    """Keep an answer for whoever asks for the very same again."""
    if nonce:
        session.moved = (nonce, answer)
    return answer


def exhume(store: Store, verb: v.Exhume) -> tuple[Outcome, ...]:
    """Letters out of the store and to where they were to go; all is decided before anything is moved."""
    session = store.sessions.get(verb.session)
    edited, coming = dict(verb.edited), dict[str, list[WireMail]]()
    words = [
        _exhumed(session, letter, edited, coming) if letter not in verb.letters[:place] else Outcome.UNKNOWN
        for place, letter in enumerate(verb.letters)
    ]
    for letter, word in zip(verb.letters, words, strict=True):
        if session is not None and word is Outcome.OK:
            gone = _take_out(store, session, letter, "exhumed")
            if mail := edited.get(letter, gone.mail):
                store.deliver(session, gone.branch, mail, straight=True)
    return tuple(words)


def _exhumed(
    session: Session | None, letter: str, edited: Mapping[str, WireMail], coming: dict[str, list[WireMail]]
) -> Outcome:
    if session is None or letter not in session.dead:
        return Outcome.UNKNOWN
    found = session.dead[letter]
    if word := session.refusal(found.branch):
        return word
    mails = coming.setdefault(found.branch, [])
    mail = edited.get(letter, found.mail)
    mails += [mail] if mail else []
    return Outcome.OK if session.has_room(found.branch, mails) else Outcome.FULL


def drop(store: Store, verb: v.Drop) -> tuple[Outcome, ...]:
    """Letters out of the store for good."""
    session = store.sessions.get(verb.session)
    words = []
    for letter in verb.letters:
        there = session is not None and letter in session.dead
        if session is not None and there:
            _take_out(store, session, letter, "dropped")
        words.append(Outcome.OK if there else Outcome.UNKNOWN)
    return tuple(words)


def _take_out(store: Store, session: Session, letter: str, kind: str) -> DeadLetter:
    gone = session.dead.pop(letter)
    session.counters["dead"] -= 1
    store.tell(session, kind, {"branch": gone.branch, "letter": letter})
    return gone


def _named(session: Session, names: tuple[str, ...] | None) -> list[Branch]:
    """The branches that are named and exist, or all."""
    return [session.branches[name] for name in session.branches if names is None or name in names]
