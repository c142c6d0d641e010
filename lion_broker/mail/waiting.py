"""Mail that waits, as whoever looks at it sees it: where, and until when."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from lion_broker.core.lean import lean

from .records import Rejected
from .wire import WireMail

__all__ = ["STOPPED", "Waiting", "WaitsAt", "Withdrawal"]

STOPPED: Final = ":stopped"
"""How the token of a branch ends whose turn was stopped, until who did it has let go or the lease is over."""


class WaitsAt(StrEnum):
    """Where mail from a branch (the first) or to it waits. Lanes: to be tried again; delayed: to be delivered later."""

    OUTBOX = "outbox"
    TRANSIT = "transit"
    INBOX = "inbox"
    MAILBOX = "mailbox"
    LANES = "lanes"
    DELAYED = "delayed"


@lean(frozen=True, slots=True)
class Waiting:
    """A mail that waits at a station of a branch: the sender's outbox, or a station of the recipient.

    `place` is its id there. A mail that is to be tried again (`lane` is its sender) or delivered later is due at `due`,
    in ms by the exchange's clock; `attempts` were made at the first of its lane. A body that travels beside its mail is
    left out unless it was asked for.
    """

    place: str
    mail: WireMail | Rejected
    lane: str = ""
    due: int = 0
    attempts: int = 0
    straight: bool = True
    """Whether a delayed mail goes on into the mailbox of a branch on workers, and not into its inbox."""


@lean(frozen=True, slots=True)
class Withdrawal:
    """A mail that is to leave the station where it waits, by its id and the place at which `ReadWaiting` found it.

    `client` is who waits for the answer to it, if anybody does.
    """

    mail: str
    where: WaitsAt
    place: str
    lane: str = ""
    client: str = ""
