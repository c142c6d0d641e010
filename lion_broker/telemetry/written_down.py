"""The spans of mail that is only written down: one for turns of a branch that follow one another, or of many at once.

While mail is written down nobody's code runs that would want the span as its parent. So it is made when it has ended,
in one go, with the times that are known by then.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextvars import ContextVar
from itertools import islice
from typing import TYPE_CHECKING, Final

from .at_once import share
from .later import later
from .mail_attributes import MOST_LINKS, Mailboxes, of_metrics, of_owner, of_worker
from .names import TEMPLATE

if TYPE_CHECKING:
    from .tracing import Carrier, Otel

__all__ = ["WritingDown", "end_written_down"]

_MOST_MAILS: Final = 100
"""Of so many mails a span is a hundredth of what they cost; it takes no further turn that would make it more."""
_MOST_SECONDS: Final = 1.0
"""Nor one that ends so long after it began: before a span ends nobody sees it."""


class WritingDown:
    """Mails that a turn writes down from now on, `mail` the first of them; `written` says that they are, or why not.

    `senders` are the spans that have sent them, each with one of its mails.
    The turns of a branch that follow it are part of the span if their mails were sent in the same spans. Who knows that
    none follows calls `end_written_down`; with the task that serves the branch the span ends in any case. Where that
    ends for several branches at once, and their mail was sent in one span, they share theirs.
    """

    __slots__ = (
        "_began",
        "_ended",
        "_mail",
        "_mails",
        "_of",
        "_otel",
        "_seconds",
        "_senders",
        "_several",
        "_task",
        "_turns",
    )

    def __init__(
        self,
        used: Otel,
        exchange: Mailboxes,
        session: str,
        branch: str,
        owner: str,
        mail: str,
        mails: int,
        senders: Mapping[str, Carrier],
    ) -> None:
        self._otel = used
        self._of = (exchange, session, branch, owner)
        self._mail, self._mails, self._senders = mail, mails, senders
        self._turns, self._several = 1, False
        self._began = self._ended = time.time()
        self._seconds = -time.perf_counter()
        self._task: asyncio.Task[object] | None = None

    def written(self, error: str = "") -> None:
        """Note that the turn was committed; `error` is the class of what was raised instead, or the server's word."""
        self._ended = time.time()
        self._seconds += time.perf_counter()
        last = _last.get()
        if last is not None and not error and last._of == self._of and last._goes_on_with(self):
            return
        end_written_down()
        if error:
            self.end(error)
        else:
            self._wait_for_more()

    def _goes_on_with(self, turns: WritingDown) -> bool:
        """Take further turns into the span, where they may be part of it; returns whether they are."""
        if (
            self._mails + turns._mails > _MOST_MAILS
            or turns._ended - self._began > _MOST_SECONDS
            or self._senders.keys() != turns._senders.keys()
        ):
            return False
        self._turns += turns._turns
        self._mails += turns._mails
        self._seconds += turns._seconds
        self._ended = turns._ended
        return True

    def _wait_for_more(self) -> None:
        _last.set(self)
        self._task = asyncio.current_task()
        if self._task is not None:
            self._task.add_done_callback(self._end_with_task)

    def _end_with_task(self, task: asyncio.Task[object]) -> None:
        self.end_soon()

    def end_soon(self) -> None:
        """End it: nothing follows. Others that end meanwhile may share its span."""
        if self._task is not None:
            self._task.remove_done_callback(self._end_with_task)
        if len(self._senders) > 1:
            # Eight links are not enough for what has come to one branch: they are to be found with its own span.
            later(self.end)
        else:
            share(self)

    @property
    def key(self) -> object:
        """What is the same for all that may share the span."""
        exchange, session, _, owner = self._of
        return WritingDown, id(self._otel), id(exchange), session, owner, *self._senders

    def joined_by(self, one: WritingDown) -> bool:
        """Let the span stand for the mails of another branch as well."""
        began = min(self._began, one._began)
        joined = self._goes_on_with(one)
        if joined:
            self._began = began
            self._several = self._several or one._of != self._of
        return joined

    def end(self, error: str = "") -> None:
        """Make the span; `error` says why what it stands for was not committed."""
        used, senders = self._otel, self._senders.values()
        if self._several:
            exchange, session, _, owner = self._of
            attributes = of_owner(exchange, session, owner, "process", "process")
        else:
            attributes = of_worker(*self._of, "process", "process")
        if self._mails == 1:
            attributes["messaging.message.id"] = str(self._mail)
        else:
            attributes["messaging.batch.message_count"] = self._mails
        links = used.links(islice(senders, MOST_LINKS))
        span = used.begin(f"process {TEMPLATE}", "CONSUMER", attributes, used.begun_by(senders), links, self._began)
        span.end(ended=self._ended, error=error)
        measured = of_metrics("process")
        if error:
            measured = measured | {"error.type": error}
        used.record("messaging.process.duration", self._seconds / self._turns, measured)


_last: ContextVar[WritingDown | None] = ContextVar("lion_broker_written_down", default=None)


def end_written_down() -> None:
    """End the span of what this task has written down, if there is one: nothing follows, or other work does."""
    last = _last.get()
    if last is not None:
        _last.set(None)
        last.end_soon()
