"""What an import puts back. No I/O."""

from __future__ import annotations

from typing import Final

from lion_broker.mail import verbs as v
from lion_broker.mail.outcome import Outcome

from .codec import Sealed, packed_record
from .namespace import OpenNamespace, call
from .requests import Argument, Request

__all__ = ["restore"]

_NO_MAIL: Final = Sealed(b"", "")


def restore(namespace: OpenNamespace, verb: v.Restore) -> Request:
    """`restore.lua`."""
    args: list[Argument] = [verb.branch, verb.part, int(verb.done), len(verb.rows)]
    for row in verb.rows:
        args += (row.version, row.place, row.record.kind, packed_record(row.record), str(row.stamp or ""))
    args += (str(verb.where), len(verb.mails))
    for one in verb.mails:
        args += (one.mail.header.recipient, one.due, int(one.straight), *namespace.codec.seal(one.mail))
    args.append(len(verb.dead))
    for letter in verb.dead:
        args += (letter.id, letter.reason, letter.error, letter.detail, letter.branch, letter.attempts)
        args += ("\n".join(letter.owners), *(namespace.codec.seal(letter.mail) if letter.mail else _NO_MAIL))
    command = call("restore", [namespace.keys.session(verb.session)], *args)
    return Request((command,), lambda replies: Outcome(replies[0].decode()))
