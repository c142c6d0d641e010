"""The `receive` spans of a worker: one for branches whose mail came at once and was sent in the same span."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from .at_once import share
from .later import later
from .mail_attributes import Mailboxes, of_metrics, of_owner, of_worker
from .names import TEMPLATE
from .otel import otel

if TYPE_CHECKING:
    from .tracing import Carrier, Otel

__all__ = ["receive"]


def receive(
    exchange: Mailboxes, session: str, branch: str, owner: str, mails: int, senders: Collection[Carrier], began: float
) -> None:
    """Note that so many mails were received that were asked for at `began`, in seconds since the epoch.

    `senders` has one mail of each span that has sent them. What comes with the answer to a commit was not asked for,
    and has no span. The span is there a little later.
    """
    used = otel()
    if used is None:
        return
    one = _Received(used, exchange, session, branch, owner, mails, senders, began)
    if len(senders) > 1:
        # It goes on with no trace: who else shared it could not be found.
        later(one.end)
    else:
        share(one)


class _Received:
    """Mails of one branch, or of several, that came at once."""

    __slots__ = ("_began", "_ended", "_mails", "_of", "_otel", "_senders", "_several", "key")

    def __init__(
        self,
        used: Otel,
        exchange: Mailboxes,
        session: str,
        branch: str,
        owner: str,
        mails: int,
        senders: Collection[Carrier],
        began: float,
    ) -> None:
        self._otel = used
        self._of = (exchange, session, branch, owner)
        self._mails, self._senders = mails, senders
        self._began, self._ended = began, time.time()
        self._several = False
        sent = next(iter(senders)).traceparent if senders else None
        self.key: Final = (_Received, id(used), id(exchange), session, owner, sent)

    def joined_by(self, one: _Received) -> bool:
        """Let it stand for the mails of one more branch, which came now."""
        self._mails += one._mails
        self._began, self._ended = min(self._began, one._began), one._ended
        self._several = self._several or one._of[2] != self._of[2]
        return True

    def end(self) -> None:
        """Make the span."""
        exchange, session, branch, owner = self._of
        if self._several:
            attributes = of_owner(exchange, session, owner, "receive", "receive")
        else:
            attributes = of_worker(exchange, session, branch, owner, "receive", "receive")
        attributes["messaging.batch.message_count"] = self._mails
        used, began = self._otel, self._began
        span = used.begin(f"receive {TEMPLATE}", "CLIENT", attributes, used.begun_by(self._senders), began=began)
        span.end(ended=self._ended)
        used.record("messaging.client.operation.duration", max(0.0, self._ended - began), of_metrics("receive"))
