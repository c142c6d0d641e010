"""What an import puts back."""

from __future__ import annotations

from lion_broker.core.lean import lean
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import DeadLetter, LogRecord
from lion_broker.mail.waiting import WaitsAt
from lion_broker.mail.wire import WireMail

from .verb import Verb

__all__ = ["IMPORTING", "Kept", "Restore"]

IMPORTING = "importing"
"""The field of a session that is being imported; such a one is not to be opened yet."""


@lean(frozen=True, slots=True)
class Kept:
    """A mail that was waiting; `due` (ms, 0 is at once) and `straight` as in `Waiting`."""

    mail: WireMail
    due: int = 0
    straight: bool = True


@lean(frozen=True, slots=True)
class Restore(Verb[Outcome]):
    """Put a part of an export back into a branch of a session whose field `importing` is set.

    `rows` go into the log under their own versions and places, `mails` to where they waited (those of lanes into the
    mailbox: they are tried afresh), `dead` among the session's dead letters under their own ids. Parts are numbered
    from 1 for the whole session; each has one effect. The last one is `done`, which removes the field. OK; ALREADY for
    a number that was used, GAP for one too high; STALE for a session that is not being imported; UNKNOWN and CLOSED of
    the branch.
    """

    session: str
    branch: str
    part: int
    rows: tuple[LogRecord, ...] = ()
    where: WaitsAt = WaitsAt.MAILBOX
    mails: tuple[Kept, ...] = ()
    dead: tuple[DeadLetter, ...] = ()
    done: bool = False

    @property
    def carried(self) -> list[WireMail]:
        """All mails that it carries."""
        return [*(one.mail for one in self.mails), *(letter.mail for letter in self.dead if letter.mail)]
