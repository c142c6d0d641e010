"""What a branch sends, and how a mail that is sent outside of turns, rounds and batches goes out at once."""

from __future__ import annotations

import asyncio
import threading
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from lion_broker.core.ids import IDType
from lion_broker.core.single_flight import SingleFlight
from lion_broker.errors import BrokerUnavailable, LeaseLost, LionError, MailboxFull
from lion_broker.mail.mail import Mail
from lion_broker.mail.package import PackageCategory
from lion_broker.mail.records import Claimed, Dispatched
from lion_broker.mail.verbs import Commit, Dispatch
from lion_broker.mail.wire import Header, WireMail
from lion_broker.telemetry.mail_spans import handed_in

from .batch import PIECE, PIECE_BYTES
from .draft import Draft
from .recorder import Recorder
from .session_context import SessionContext
from .texts import TextWriter
from .timing import AT_ONCE, Timing

if TYPE_CHECKING:
    from .branch import Branch

__all__ = ["GONE", "Sender"]

GONE: Final = "gone"
Fate = LionError | str | None
"""What became of a mail that somebody waits for: an error, that it has gone, or nothing yet."""


class Sender(Recorder):
    """Writes mail down that a branch sends, and lets it go.

    Whoever sends at once waits until its own mail has gone, and is told what became of that one. Of the tasks of an
    event loop that do so at the same time one asks the exchange; what the others have sent meanwhile goes together.
    """

    def __init__(self, branch: Branch, context: SessionContext, pool: str, token: str) -> None:
        super().__init__(branch, context, pool)
        self.token = token
        self.version = 0
        self.keeps_outbox = False
        self._open: list[tuple[Commit | Dispatch, Draft]] = []
        self._lock = threading.RLock()
        self._writer = TextWriter(context.session, branch.id)
        self._seq = 0
        self._since = self._weight = 0
        self._cause: str | None = None
        self._fates: dict[str, Fate] = {}
        self._flight: SingleFlight | None = None

    def because_of(self, mail: str | None) -> str | None:
        """From now on mail that is sent names a mail as its cause; returns the one from before, to go back to."""
        before, self._cause = self._cause, mail
        return before

    @property
    def sends_at_once(self) -> bool:
        """Whether mail goes out when it is sent, and not with a round, a batch or the end of the turn."""
        return not (self.keeps_outbox or self.turns.going_on or self.context.batches.holding)

    @property
    def is_ahead(self) -> bool:
        """Whether so much was put into the outbox since the last time that a batch had better send some of it."""
        much = self._since >= PIECE or self._weight >= PIECE_BYTES
        return much and not (self.keeps_outbox or self.turns.going_on)

    def put_text(self, recipient: Any, category: PackageCategory | str, text: Any) -> WireMail | None:
        """Put a mail with a plain text into the outbox, as bytes at once, and return it.

        None for all that wants a closer look: another item, a long one, a recipient that is not known here. Raises
        BranchError after the turn.
        """
        if category != PackageCategory.MESSAGE:
            return None
        place = self.context.directory.known(recipient)
        if place is None:
            return None
        body = self._writer.body(text)
        if body is None:
            return None
        context = self.context
        with context.entered():
            if self.pool:
                self.turns.check(self.branch.name or self.branch.id)
            self._seq += 1
            self._since += 1
            mail_id = IDType.create()
            carried = handed_in(context.exchange, context.session, place.id, mail_id)
            wire = self._writer.mail(place.id, mail_id, body, self._seq, self._cause, carried)
            self._draft.mails.append(wire)
            self.branch.mailbox.append_written(wire, text)
        return wire

    def sending(self, mail: Mail, body: bytes, when: Timing = AT_ONCE) -> WireMail:
        """Write down and return a mail that goes into the outbox; raises MailTooLarge, BranchError after the turn."""
        self.turns.check(self.branch.name or self.branch.id)
        self._seq += 1
        header = Header(
            session=self.context.session,
            sender=mail.sender,
            recipient=mail.recipient,
            category=mail.category.value,
            id=mail.id,
            created=mail.created_at,
            seq=self._seq,
            ttl=when.ttl,
            in_reply_to=self._cause,
            **handed_in(self.context.exchange, self.context.session, mail.recipient, mail.id),
        )
        wire = WireMail(header, body, delay_ms=when.delay_ms)
        self._draft.mails.append(wire)
        self._since += 1
        self._weight += len(body)
        return wire

    def let_go(self, wire: WireMail) -> None:
        """Let a mail go out that was just sent, where the branch `sends_at_once`; blocks.

        Raises what became of it: MailboxFull, LeaseLost; BrokerUnavailable when it waits here for the next command.
        """
        mail, exchange = wire.header.id, self.context.exchange
        self._fates[mail] = None
        try:
            while self._fates[mail] is None and (verbs := self._verbs_now()):
                self._take_note(verbs, exchange.call_all(verbs))
        except BrokerUnavailable as error:
            raise _kept(error) from error
        finally:
            fate = self._fates.pop(mail)
        if isinstance(fate, LionError):
            raise fate

    async def alet_go(self, wire: WireMail) -> None:
        """Do the same without blocking the event loop, where others that send meanwhile share the next question."""
        mail, flight = wire.header.id, self._flight
        self._fates[mail] = None
        if flight is None or flight.loop is not asyncio.get_running_loop():
            flight = self._flight = SingleFlight()
        try:
            while self._fates[mail] is None:
                if not flight.asks:
                    if not await self._ask(flight):
                        break
                elif (error := await flight.wait(mail)) is not None:
                    raise type(error)(*error.args) from error
        except BrokerUnavailable as error:
            raise _kept(error) from error
        finally:
            fate = self._fates.pop(mail)
            flight.leave()
        if isinstance(fate, LionError):
            raise fate

    def _is_decided(self, mail: str) -> bool:
        return self._fates.get(mail) is not None

    async def _ask(self, flight: SingleFlight) -> bool:
        """Ask the exchange to write what waits, and tell those who wait for that; False when nothing does."""
        flight.asks, failed = True, None
        try:
            verbs = self._verbs_now()
            if verbs:
                self._take_note(verbs, await self.context.exchange.acall_all(verbs))
            return bool(verbs)
        except LionError as error:
            failed = error
            raise
        finally:
            flight.asks = False
            if failed is not None:
                flight.fail(failed)
            else:
                # Mails go in the order in which they came.
                flight.wake_first(self._is_decided)

    def _verbs_now(self) -> Sequence[Commit | Dispatch]:
        with self.context.lock:
            return self.next_verbs()

    def _take_note(self, verbs: Sequence[Commit | Dispatch], answers: Sequence[Any]) -> None:
        with self.context.lock:
            for verb, answer in zip(verbs, answers, strict=True):
                try:
                    self.absorb(verb, answer)
                except (MailboxFull, LeaseLost):
                    # Who has sent a mail that was refused finds that in its fate.
                    continue

    def _decide(self, mails: Iterable[WireMail], fate: LionError | str) -> None:
        """Tell those who wait for mails what became of them."""
        fates = self._fates
        if fates:
            for wire in mails:
                if wire.header.id in fates:
                    fates[wire.header.id] = fate

    @abstractmethod
    def next_verbs(self) -> Sequence[Commit | Dispatch]:
        """Return what has not been answered yet, else the commits of what waits, if anything does."""

    @abstractmethod
    def absorb(self, verb: Commit | Dispatch, answer: Claimed | Dispatched) -> None:
        """Take note of a commit's answer, and decide the fates of its mails; raises when it was refused."""


def _kept(error: BrokerUnavailable) -> BrokerUnavailable:
    return BrokerUnavailable(
        f"{error} The mail is kept, and goes out with the session's next command; sent again it would go twice."
    )
