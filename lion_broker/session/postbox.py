"""Posts mail from outside a turn, once, however often an answer is lost."""

from __future__ import annotations

from collections.abc import Sequence

from lion_broker.core.ids import IDType
from lion_broker.errors import BranchClosed, BrokerError, ItemNotFoundError, MailboxFull
from lion_broker.mail.exchange import Steps, ask
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.verbs import Post
from lion_broker.mail.wire import WireMail

__all__ = ["Postbox"]

PIECE = 100
"""Mails of one function call; a thousand would hold the server for about 4 ms."""


class Postbox:
    """Hands mails to the exchange under numbered producers, so that a repeated call has one effect.

    A producer counts its posts one after the other; posts that run side by side use producers of their own, which are
    used again afterwards.
    """

    def __init__(self, session: str) -> None:
        self._session = session
        self._idle: list[tuple[str, int]] = []

    def post_steps(self, mails: Sequence[WireMail]) -> Steps[None]:
        """Post mails in order, in bounded pieces.

        Raises ItemNotFoundError, BranchClosed or MailboxFull when a recipient refuses; then that piece and those after
        it were not posted.
        """
        for first in range(0, len(mails), PIECE):
            yield from self._post_piece(tuple(mails[first : first + PIECE]))

    def _post_piece(self, mails: tuple[WireMail, ...]) -> Steps[None]:
        producer, last = self._idle.pop() if self._idle else (str(IDType.create()), 0)
        # Should this raise, nobody knows whether the number is used up: the producer is not used again.
        answer = yield from ask(Post(self._session, producer, last + 1, mails))
        if answer.outcome in (Outcome.OK, Outcome.DUPLICATE):
            self._idle.append((producer, last + 1))
            return
        self._idle.append((producer, last))
        if answer.outcome == Outcome.UNKNOWN:
            raise ItemNotFoundError(f"The session has no branch with the id {answer.recipient}; nothing was posted.")
        if answer.outcome == Outcome.CLOSED:
            raise BranchClosed(f"The branch {answer.recipient} was removed and takes no more mail; nothing was posted.")
        if answer.outcome == Outcome.FULL:
            raise MailboxFull(f"The mailbox of {answer.recipient} is full; nothing was posted. Send it again later.")
        raise BrokerError(
            f"The exchange refused a post with {answer.outcome}; another program uses this producer's name."
        )
