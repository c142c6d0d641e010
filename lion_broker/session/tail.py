"""The live tail of a session: everything that happens in it, as it happens, resumable by id."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator

from lion_broker.insight.tail import Happenings
from lion_broker.insight.views import Happening
from lion_broker.mail.exchange import Exchange, Steps, arun, ask, run
from lion_broker.mail.records import START, Occurrence
from lion_broker.mail.verbs import ReadEvents

__all__ = ["MailTail", "Tail"]

_WAIT_MS = 1000


class Tail:
    """Iterates over a session's occurrences, with `for` and with `async for`.

    Begins after the occurrence with the id `after` (None: at the oldest that is kept; `$`: with what comes next) and
    goes on until nothing has happened for `timeout` seconds (None: for ever). `position` resumes it, in this process or
    another. A session keeps about the newest two thousand; who falls behind gets one occurrence of kind `gap`, whose
    fields `after` and `next` say between which others some are missing. The branches' logs have what happened.
    """

    def __init__(self, exchange: Exchange, session: str, after: str | None, timeout: float | None) -> None:
        self._exchange = exchange
        self._session = session
        self.position = after or START
        self._timeout = timeout

    def __iter__(self) -> Iterator[Occurrence]:
        while found := run(self._exchange, self._next_steps()):
            for occurrence in found:
                self.position = occurrence.id
                yield occurrence

    async def __aiter__(self) -> AsyncIterator[Occurrence]:
        while found := await arun(self._exchange, self._next_steps()):
            for occurrence in found:
                self.position = occurrence.id
                yield occurrence

    def _next_steps(self) -> Steps[tuple[Occurrence, ...]]:
        if self.position == "$":
            tip = yield from ask(ReadEvents(self._session, "$"))
            self.position = tip[0].id
        deadline = None if self._timeout is None else time.monotonic() + self._timeout
        while True:
            left_ms = _WAIT_MS if deadline is None else int((deadline - time.monotonic()) * 1000)
            found = yield from ask(ReadEvents(self._session, self.position, wait_ms=max(0, min(left_ms, _WAIT_MS))))
            if found or left_ms <= 0:
                return found


class MailTail:
    """Iterates over what happens in a session mail by mail, with `for` and with `async for`.

    Begins after the happening (or occurrence) with the id `after`, as in `Tail`, and goes on until nothing has happened
    for `timeout` seconds. `position` is the id of the last happening that was yielded: another tail goes on after it
    without loss and without doubles, but for a `gap`, which is told.
    """

    def __init__(self, exchange: Exchange, session: str, after: str | None, timeout: float | None) -> None:
        self._exchange = exchange
        self._happenings = Happenings(session, after)
        self._timeout = timeout
        self.position = self._happenings.position

    def __iter__(self) -> Iterator[Happening]:
        while found := run(self._exchange, self._next_steps()):
            for happening in found:
                self.position = happening.id
                yield happening

    async def __aiter__(self) -> AsyncIterator[Happening]:
        while found := await arun(self._exchange, self._next_steps()):
            for happening in found:
                self.position = happening.id
                yield happening

    def _next_steps(self) -> Steps[list[Happening]]:
        deadline = None if self._timeout is None else time.monotonic() + self._timeout
        while True:
            left_ms = _WAIT_MS if deadline is None else int((deadline - time.monotonic()) * 1000)
            before = self._happenings.position
            found = yield from self._happenings.next_steps(max(0, min(left_ms, _WAIT_MS)))
            if found or (left_ms <= 0 and self._happenings.position == before):
                return found
            if self._happenings.position != before:
                # Something has happened, though not of a mail.
                self.position = self._happenings.position
                deadline = None if self._timeout is None else time.monotonic() + self._timeout
