"""Bodies that travel beside their mails: put before the mail, fetched and verified after it. No I/O."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from lion_broker.errors import MailMalformed
from lion_broker.mail.records import Claimed, DeadLetter, Entry, Rejected
from lion_broker.mail.verbs import Commit, Exhume, Post, Verb
from lion_broker.mail.wire import MAX_BODY_BYTES, WireMail, read_json

from .functions import Road, call
from .requests import Command

__all__ = ["Missing", "fetch", "missing", "put", "with_bodies"]

_UNACCEPTED_MS: Final = 3_600_000
"""How long a blob waits for a mail that names it."""

Missing = dict[str, str]
"""Blobs that mails name, with the session of each."""


def put(road: Road, verbs: Iterable[Verb[Any]]) -> tuple[Command, ...]:
    """The commands that store the blobs of the mails that some verbs carry, each once."""
    found: dict[str, Command] = {}
    for mail in (mail for verb in verbs for mail in _carried(verb)):
        if (digest := mail.header.blob) is not None and digest not in found:
            key = road.keys.session(mail.header.session)
            found[digest] = call("put_blob", [key], digest, mail.body, _UNACCEPTED_MS)
    return tuple(found.values())


def _carried(verb: Verb[Any]) -> Sequence[WireMail]:
    if isinstance(verb, Exhume):
        return [mail for _, mail in verb.edited]
    return verb.mails if isinstance(verb, (Post, Commit)) else ()


def missing(answers: Iterable[Any]) -> Missing:
    """The blobs that the mails of some answers name."""
    return {mail.header.blob: mail.header.session for answer in answers for mail in _named(answer) if mail.header.blob}


def fetch(road: Road, wanted: Missing) -> tuple[Command, ...]:
    """The commands that read blobs, in order."""
    return tuple(("GET", road.keys.blob(session, digest)) for digest, session in wanted.items())


def with_bodies(answer: Any, bodies: Mapping[str, bytes | None]) -> Any:
    """Return an answer whose mails have their bodies; a blob that is not what it is called makes no mail."""
    if isinstance(answer, Claimed):
        return replace(answer, entries=tuple(_filled_entry(entry, bodies) for entry in answer.entries))
    if isinstance(answer, tuple):
        return tuple(_filled_one(one, bodies) for one in answer)
    return answer


def _named(answer: Any) -> Iterator[WireMail]:
    holders = answer.entries if isinstance(answer, Claimed) else answer if isinstance(answer, tuple) else ()
    for holder in holders:
        if isinstance(holder, (Entry, DeadLetter)) and isinstance(holder.mail, WireMail):
            yield holder.mail


def _filled_entry(entry: Entry, bodies: Mapping[str, bytes | None]) -> Entry:
    return Entry(entry.id, _filled(entry.mail, bodies)) if isinstance(entry.mail, WireMail) else entry


def _filled_one(one: Any, bodies: Mapping[str, bytes | None]) -> Any:
    if isinstance(one, Entry):
        return _filled_entry(one, bodies)
    if isinstance(one, DeadLetter) and one.mail is not None:
        mail = _filled(one.mail, bodies)
        return replace(one, mail=mail if isinstance(mail, WireMail) else None)
    return one


def _filled(mail: WireMail, bodies: Mapping[str, bytes | None]) -> WireMail | Rejected:
    digest = mail.header.blob
    if digest is None:
        return mail
    body = bodies.get(digest)
    if body is None or hashlib.sha256(body).hexdigest() != digest:
        what = "is not there" if body is None else "has another content"
        return Rejected("lost_blob", f"The blob {digest} of the mail {what}.", {"h": mail.head})
    try:
        return WireMail(mail.header, body, mail.head, read_json(body, "body", MAX_BODY_BYTES))
    except MailMalformed as error:
        return Rejected("malformed", str(error), {"h": mail.head})
