"""Posts mail from outside a turn, once, however often an answer is lost."""

from __future__ import annotations

from collections.abc import Sequence
from threading import RLock

from lion_broker.branch.batch import PIECE, PIECE_BYTES
from lion_broker.branch.directory import gone
from lion_broker.branch.refusal import mailbox_full
from lion_broker.core.ids import IDType
from lion_broker.errors import BranchClosed, BrokerError, ItemNotFoundError, LionError
from lion_broker.mail.exchange import Steps, ask
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import Posted
from lion_broker.mail.verbs import Post
from lion_broker.mail.wire import WireMail
from lion_broker.telemetry.mail_spans import count_sent

__all__ = ["Postbox"]

_POSTED = frozenset({Outcome.OK, Outcome.DUPLICATE})


class Postbox:
    """Hands mails to the exchange under numbered producers, so that a repeated call has one effect.

    A producer counts its posts one after the other; posts that run side by side use producers of their own, which are
    used again afterwards. One that the exchange has forgotten, since it was idle, is replaced. Mail that is held waits
    for `post_held_steps`, and stays here until it is known to be posted.
    """

    def __init__(self, session: str) -> None:
        self._session = session
        self._idle: list[tuple[str, int]] = []
        self._held: list[WireMail] = []
        self._open: Post | None = None
        self._since = self._weight = 0
        self._lock = RLock()

    def hold(self, mail: WireMail) -> None:
        """Keep a mail to be posted with others."""
        with self._lock:
            self._held.append(mail)
            self._since += 1
            self._weight += len(mail.body)

    @property
    def is_ahead(self) -> bool:
        """Whether so much is held since the last time that a batch had better send some of it."""
        return self._since >= PIECE or self._weight >= PIECE_BYTES

    def post_steps(self, mails: Sequence[WireMail]) -> Steps[None]:
        """Post mails in order, in bounded pieces.

        Raises ItemNotFoundError, BranchClosed or MailboxFull when a recipient refuses; then that piece and those after
        it were not posted.
        """
        first = 0
        while first < len(mails):
            piece = _piece(mails, first)
            verb = self._verb(piece)
            # Should this raise, nobody knows whether the number is used up: the producer is not used again.
            answer = yield from ask(verb)
            self._take_back(verb, answer)
            if _is_forgotten(verb, answer):
                continue
            if answer.outcome not in _POSTED:
                raise self._refusal(answer)
            count_sent(mail.header.category for mail in piece)
            first += len(piece)

    def post_held_steps(self) -> Steps[None]:
        """Post the mail that is held, in order.

        A post whose answer was lost is repeated before anything else, with the next call if need be. When a recipient
        refuses, the mail to it is dropped and the rest is posted; then the error is raised as `post_steps` does.
        """
        refused: LionError | None = None
        while self._held or self._open:
            with self._lock:
                verb = self._open = self._open or self._verb(_piece(self._held))
            answer = yield from ask(verb)
            try:
                self.absorb(verb, answer)
            except LionError as error:
                refused = refused or error
                if not answer.recipient:
                    break
        if refused is not None:
            raise refused

    def asked(self) -> Sequence[Post]:
        """Return the post that has not been answered yet, if any."""
        with self._lock:
            return [self._open] if self._open else []

    def next_piece(self) -> Post | None:
        """Return the post of what is held next, if there is a full piece of it and none is on its way."""
        with self._lock:
            self._since = self._weight = 0
            piece = _piece(self._held)
            if self._open or (len(piece) < PIECE and len(piece) == len(self._held)):
                return None
            self._open = self._verb(piece)
            return self._open

    def absorb(self, verb: Post, answer: Posted) -> None:
        """Take note of what became of a post of held mail; raises what `post_held_steps` does, and drops that mail."""
        with self._lock:
            if verb is not self._open:
                # Another task asked for the same and took note of its answer already.
                return
            self._open = None
            self._take_back(verb, answer)
            if _is_forgotten(verb, answer):
                return
            if answer.outcome not in _POSTED:
                if answer.recipient:
                    self._held = [mail for mail in self._held if mail.header.recipient != answer.recipient]
                raise self._refusal(answer)
            del self._held[: len(verb.mails)]
        count_sent(mail.header.category for mail in verb.mails)

    def _verb(self, mails: Sequence[WireMail]) -> Post:
        producer, last = self._idle.pop() if self._idle else (str(IDType.create()), 0)
        return Post(self._session, producer, last + 1, tuple(mails))

    def _take_back(self, verb: Post, answer: Posted) -> None:
        """Keep the producer for the next post; only a number that was accepted is used up."""
        if _is_forgotten(verb, answer):
            return
        self._idle.append((verb.producer, verb.seq if answer.outcome in _POSTED else verb.seq - 1))

    def _refusal(self, answer: Posted) -> LionError:
        name = answer.recipient
        if answer.outcome == Outcome.UNKNOWN:
            if not name:
                return gone(self._session)
            return ItemNotFoundError(f"The session has no branch with the id {name}; its mail was not posted.")
        if answer.outcome == Outcome.CLOSED:
            return BranchClosed(f"The branch {name} was removed and takes no more mail; its mail was not posted.")
        if answer.outcome == Outcome.FULL:
            return mailbox_full(name)
        return BrokerError(
            f"The exchange refused a post with {answer.outcome}; another program uses this producer's name."
        )


def _is_forgotten(verb: Post, answer: Posted) -> bool:
    """Whether a producer was idle for so long that the exchange forgot it; nothing was posted, and a new one may."""
    return answer.outcome == Outcome.GAP and verb.seq > 1


def _piece(mails: Sequence[WireMail], first: int = 0) -> Sequence[WireMail]:
    """The mails from a place on that may go in one call; a body that travels as a blob goes beside them."""
    bytes_left = PIECE_BYTES
    for place in range(first, min(first + PIECE, len(mails))):
        mail = mails[place]
        bytes_left -= len(mail.head) + len(mail.body)
        if bytes_left < 0 and place > first:
            return mails[first:place]
    return mails[first : first + PIECE]
