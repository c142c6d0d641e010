"""What a branch has done since its last commit, in the order in which it happened."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from secrets import token_hex
from typing import Final, NamedTuple

from lion_broker.mail.records import Burial, Record, Reply
from lion_broker.mail.wire import WireMail

from .journal import sent_record
from .turn_times import came_record

__all__ = ["Draft", "Savepoint", "new_nonce"]

_NONCES: Final = (token_hex(8), count(1))
"""What the nonces of this process begin with, and how they go on; one that is forked has nobody's lease."""


def new_nonce() -> str:
    """Return what tells a commit of this process from all others."""
    return f"{_NONCES[0]}{next(_NONCES[1])}"


class Savepoint(NamedTuple):
    """A point in a draft: how much of each part stood there."""

    records: int
    mails: int
    replies: int
    taken: int
    buried: int
    handled: int


_NOTHING_YET: Final = Savepoint(0, 0, 0, 0, 0, 0)


@dataclass(slots=True)
class Draft:
    """Records, outgoing mail, replies and what became of received mail, until a commit has written it.

    New things come at the end, also while a commit of the beginning is on its way.
    """

    records: list[Record] = field(default_factory=list)
    mails: list[WireMail] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    buried: list[Burial] = field(default_factory=list)
    handled: int = 0

    def __bool__(self) -> bool:
        return bool(self.records or self.mails or self.replies or self.taken or self.buried)

    def savepoint(self) -> Savepoint:
        """Return the point that the draft has come to."""
        if not (self.records or self.mails or self.replies or self.taken or self.buried or self.handled):
            return _NOTHING_YET
        return Savepoint(
            len(self.records), len(self.mails), len(self.replies), len(self.taken), len(self.buried), self.handled
        )

    def beginning(self, most_mails: int, most_records: int) -> Draft:
        """Return a copy of the first part, with at most so many mails and records."""
        return Draft(
            self.records[:most_records],
            self.mails[:most_mails],
            self.replies.copy(),
            self.taken.copy(),
            self.buried.copy(),
            self.handled,
        )

    def log(self, *, local: bool) -> tuple[Record, ...]:
        """Return what the log takes: records, the mail that is sent, and first when mails were delivered.

        Only a `local` branch says so of what it has taken, which may have come long before. Of others the turn does.
        """
        newest = self.taken[-1].partition("-")[0] if local and self.taken else ""
        came = (came_record(int(newest), self.taken),) if newest else ()
        return (*came, *self.records, *((sent_record(self.mails),) if self.mails else ()))

    @property
    def only_sends(self) -> bool:
        """Whether there are records and outgoing mail only: nothing has come in."""
        return not (self.replies or self.taken or self.buried or self.handled)

    def piece(self, mails: int, records: int, most_mails: int, most_records: int, most_bytes: int) -> Draft:
        """Return a copy of the next part behind so many mails and records, of a draft that only sends.

        A mail with more than `most_bytes` has a part of its own.
        """
        some = _up_to(self.mails[mails : mails + most_mails], most_bytes)
        return Draft(self.records[records : records + most_records], some)

    def drop_beginning(self, part: Draft) -> None:
        """Drop what `beginning` returned: it has been written."""
        del self.mails[: len(part.mails)]
        if part.records:
            del self.records[: len(part.records)]
        if not part.only_sends:
            del self.replies[: len(part.replies)], self.taken[: len(part.taken)], self.buried[: len(part.buried)]
            self.handled -= part.handled

    def drop_to(self, recipient: str) -> list[WireMail]:
        """Drop the mails to one recipient; returns them."""
        dropped = [wire for wire in self.mails if wire.header.recipient == recipient]
        self.mails[:] = [wire for wire in self.mails if wire.header.recipient != recipient]
        return dropped

    def drop_since(self, savepoint: Savepoint) -> list[WireMail]:
        """Drop what has come since a savepoint; returns the mails among it."""
        mails = self.mails[savepoint.mails :]
        del self.records[savepoint.records :], self.mails[savepoint.mails :], self.replies[savepoint.replies :]
        del self.taken[savepoint.taken :], self.buried[savepoint.buried :]
        self.handled = savepoint.handled
        return mails


def _up_to(mails: list[WireMail], most_bytes: int) -> list[WireMail]:
    """The first mails with so many bytes together, at least one; a body that travels as a blob goes beside them."""
    for place, mail in enumerate(mails):
        most_bytes -= len(mail.head) + len(mail.body)
        if most_bytes < 0 and place:
            return mails[:place]
    return mails
