"""What an import puts back. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from lion_broker.mail import verbs as v
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import LogRecord

from .codec import Sealed, packed_records
from .namespace import OpenNamespace, call
from .requests import Argument, Request

__all__ = ["restore"]

_NO_MAIL: Final = Sealed(b"", "")


def restore(namespace: OpenNamespace, verb: v.Restore) -> Request:
    """`restore.lua`."""
    entries = [*_entries(verb.rows)]
    args: list[Argument] = [verb.branch, verb.part, int(verb.done), len(entries)]
    for entry in entries:
        args += entry
    args += (str(verb.where), len(verb.mails))
    for one in verb.mails:
        args += (one.mail.header.recipient, one.due, int(one.straight), *namespace.codec.seal(one.mail))
    args.append(len(verb.dead))
    for letter in verb.dead:
        args += (letter.id, letter.reason, letter.error, letter.detail, letter.branch, letter.attempts)
        args += ("\n".join(letter.owners), *(namespace.codec.seal(letter.mail) if letter.mail else _NO_MAIL))
    command = call("restore", [namespace.keys.session(verb.session)], *args)
    return Request((command,), lambda replies: Outcome(replies[0].decode()))


def _entries(rows: Sequence[LogRecord]) -> Iterator[tuple[Argument, ...]]:
    """Entries of the log: version, place of the last record, records, stamp."""
    for run in _runs(rows):
        stamp, place = str(run[0].stamp or ""), run[0].place - 1
        for count, value in packed_records([row.record for row in run]):
            place += count
            yield run[0].version, place, value, stamp
            stamp = ""


def _runs(rows: Sequence[LogRecord]) -> Iterator[list[LogRecord]]:
    """Records that stand next to each other in a version; one with a stamp begins anew."""
    run: list[LogRecord] = []
    for row in rows:
        if run and (row.stamp or (row.version, row.place) != (run[-1].version, run[-1].place + 1)):
            yield run
            run = []
        run.append(row)
    if run:
        yield run
