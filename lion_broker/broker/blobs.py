"""Bodies that travel beside their mails: put before the mail, fetched and verified after it. No I/O."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Any, Final

from lion_broker.errors import MailMalformed
from lion_broker.mail.records import Claimed, DeadLetter, Entry, Rejected
from lion_broker.mail.strict_json import read_json
from lion_broker.mail.verbs import Commit, Dispatch, Exhume, Post, Restore, Verb
from lion_broker.mail.waiting import Waiting
from lion_broker.mail.wire import MAX_BODY_BYTES, WireMail

from .namespace import OpenNamespace, call
from .requests import Command

__all__ = ["Missing", "carries_blobs", "fetch", "missing", "put", "with_bodies"]

_UNACCEPTED_MS: Final = 3_600_000
"""How long a blob waits for a mail that names it."""

Name = tuple[str, str]
"""The session of a blob and its digest: each session has a copy of its own."""

Missing = tuple[Name, ...]
"""Blobs that mails name, each once."""


def put(namespace: OpenNamespace, verbs: Iterable[Verb[Any]]) -> tuple[Command, ...]:
    """The commands that store the blobs of the mails that some verbs carry, each once a session."""
    if not any(carries_blobs(verb) for verb in verbs):
        return ()
    found: dict[Name, Command] = {}
    # What a post and a turn of the same call share must not be refused either.
    for verb in sorted(verbs, key=lambda verb: isinstance(verb, Post)):
        function = "put_blob" if isinstance(verb, Post) else "put_blob_of_turn"
        carried = _CARRIED.get(type(verb))
        for mail in carried(verb) if carried is not None else ():
            name = _name(mail)
            if name is not None and name not in found:
                session, digest = name
                found[name] = call(function, [namespace.keys.session(session)], digest, mail.body, _UNACCEPTED_MS)
    return tuple(found.values())


def carries_blobs(verb: Verb[Any]) -> bool:
    """Whether the mails of a verb have bodies that go beside it."""
    carried = _CARRIED.get(type(verb))
    return carried is not None and bool([mail for mail in carried(verb) if mail.header.blob is not None])


def _name(mail: WireMail) -> Name | None:
    return None if mail.header.blob is None else (mail.header.session, mail.header.blob)


_CARRIED: Final[Mapping[type[Verb[Any]], Callable[[Any], Sequence[WireMail]]]] = {
    Dispatch: attrgetter("mails"),
    Commit: attrgetter("mails"),
    Post: attrgetter("mails"),
    Exhume: lambda verb: [mail for _, mail in verb.edited],
    Restore: attrgetter("carried"),
}
"""The mails of those verbs that have any."""


def missing(verbs: Iterable[Verb[Any]], answers: Iterable[Any]) -> Missing:
    """The blobs that the mails of some answers name, but for those that were not asked for."""
    found: dict[Name, None] = {}
    for verb, answer in zip(verbs, answers, strict=True):
        holders = answer.entries if isinstance(answer, Claimed) else answer if isinstance(answer, tuple) else ()
        # Nearly all answers hold nothing, or nothing that has a blob: what is made here is made for few.
        if holders and getattr(verb, "whole", True):
            mails = [one.mail for one in holders if isinstance(one, (Entry, DeadLetter, Waiting))]
            for mail in mails:
                if isinstance(mail, WireMail) and mail.header.blob is not None:
                    found[mail.header.session, mail.header.blob] = None
    return tuple(found)


def fetch(namespace: OpenNamespace, wanted: Missing) -> tuple[Command, ...]:
    """The commands that read blobs, in order."""
    return tuple(("GET", namespace.keys.blob(session, digest)) for session, digest in wanted)


def with_bodies(answer: Any, bodies: Mapping[Name, bytes | None]) -> Any:
    """Return an answer whose mails have their bodies; a blob that is not what it is called makes no mail."""
    if isinstance(answer, Claimed):
        return replace(answer, entries=tuple(_filled_entry(entry, bodies) for entry in answer.entries))
    if isinstance(answer, tuple):
        return tuple(_filled_one(one, bodies) for one in answer)
    return answer


def _filled_entry(entry: Entry, bodies: Mapping[Name, bytes | None]) -> Entry:
    return Entry(entry.id, _filled(entry.mail, bodies)) if isinstance(entry.mail, WireMail) else entry


def _filled_one(one: Any, bodies: Mapping[Name, bytes | None]) -> Any:
    if isinstance(one, Entry):
        return _filled_entry(one, bodies)
    if isinstance(one, Waiting) and isinstance(one.mail, WireMail):
        return replace(one, mail=_filled(one.mail, bodies))
    if isinstance(one, DeadLetter) and one.mail is not None:
        mail = _filled(one.mail, bodies)
        return replace(one, mail=mail if isinstance(mail, WireMail) else None)
    return one


def _filled(mail: WireMail, bodies: Mapping[Name, bytes | None]) -> WireMail | Rejected:
    name = _name(mail)
    if name is None:
        return mail
    digest, body = name[1], bodies.get(name)
    if body is None or hashlib.sha256(body).hexdigest() != digest:
        what = "is not there" if body is None else "has another content"
        return Rejected("lost_blob", f"The blob {digest} of the mail {what}.", {"h": mail.head})
    try:
        return WireMail(mail.header, body, mail.head, read_json(body, "body", MAX_BODY_BYTES))
    except MailMalformed as error:
        return Rejected("malformed", str(error), {"h": mail.head})
