"""What a turn says of itself: spans, counts and the fields of log lines. Nobody who asks for none pays for any.

A turn that handles one mail has a span for it. The mails of one turn share one, with links to who sent them, up to one
that takes 5 ms. Mails that are only written down share one over turns that follow one another. So there are few spans,
however many mails a turn has.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Final, Protocol, Self

from lion_broker.branch.host import Host
from lion_broker.mail.records import Burial, Claimed, Deferral, Entry, ReadyEntry, Rejected
from lion_broker.mail.wire import Header, WireMail
from lion_broker.telemetry.counts import Counts, counts_here
from lion_broker.telemetry.lines import back_to, now_about
from lion_broker.telemetry.mail_spans import Processing, Together, ack, count_received, process, settle
from lion_broker.telemetry.otel import otel
from lion_broker.telemetry.received import receive
from lion_broker.telemetry.written_down import WritingDown, end_written_down

if TYPE_CHECKING:
    from lion_broker.mail.exchange import Exchange

    from .attempt import Failure

__all__ = ["Account"]

_APART_SECONDS: Final = 0.005
"""A mail that takes so long is the last of the span that mails of a turn share; those that all do have one each."""


class Worked(Protocol):
    """What is to be known of a turn when it has been committed."""

    entries: list[Entry]
    attempts: int
    lane: str
    now: int
    done: int
    buried: list[Burial]
    deferred: list[Deferral]
    failed: Failure | None


class Account:
    """The account of one turn; a context manager around what it does."""

    __slots__ = (
        "_commits",
        "_error",
        "_handled",
        "_last",
        "_seconds",
        "_shared",
        "_together",
        "_unwatched",
        "_writing",
    )

    def __init__(self) -> None:
        self._handled = 0
        self._commits = 0.0
        self._error = ""
        self._seconds: list[float] = []
        self._last: Processing | None = None
        self._shared: Processing | None = None
        self._together: Together | None = None
        self._unwatched = False
        self._writing: WritingDown | None = None

    def handling(self, host: Host, wire: WireMail, attempts: int) -> Handling:
        """Return what is to be entered while a mail is handled."""
        self._handled += 1
        return Handling(self, host, wire, attempts if self._handled == 1 else 1)

    def begin(self, host: Host, wire: WireMail) -> None:
        """Begin to handle a mail: in the span of those before it, or in one that those after it may join."""
        if self._shared is not None:
            self._shared.joins(wire.header)
            return
        if self._unwatched:
            return
        context = host.context
        self._last = found = process(context.exchange, context.session, host.branch.id, context.owner, wire.header)
        if found is not None:
            found.enter()
            self._shared, self._together = found, Together()
            self._together.begin()

    def end(self, seconds: float, error: str) -> None:
        """End what `begin` has begun, after so long; `error` is the class of what was raised, if anything was.

        What mails share stays current: nothing but mails of this turn is handled in the task until that ends. A mail is
        long by what it took itself, and not by how long others were let go first: then each would be.
        """
        self._seconds.append(seconds)
        # A turn ends at a mail that fails.
        self._error = error
        if seconds >= _APART_SECONDS:
            self._end_shared(error)

    def _end_shared(self, error: str = "") -> None:
        """End the spans that mails of the turn share, if there are any."""
        if self._together is not None:
            self._together.end(of_worker=True)
            self._together = None
        if self._shared is not None:
            self._shared.leave()
            self._shared.end(error)
            self._shared = None

    def __enter__(self) -> Self:
        end_written_down()
        # Once a turn: it is asked before each of its mails.
        self._unwatched = otel() is None
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._end_shared(self._error if error is None else type(error).__name__)
        if self._seconds and (counts := counts_here()) is not None:
            counts.observe_all("lion_broker_mail_process_seconds", self._seconds)

    @contextmanager
    def writing_down(
        self, exchange: Exchange, ready: ReadyEntry, owner: str, entries: Sequence[Entry]
    ) -> Iterator[None]:
        """Within this, mails are written down, all in one go; their span lasts until that is committed, or longer."""
        began = time.perf_counter()
        used = otel()
        if used is not None:
            first, session, branch, senders = entries[0].mail, ready.session, ready.branch, senders_of(entries)
            mail = first.id if isinstance(first, WireMail) else ""
            self._writing = WritingDown(used, exchange, session, branch, owner, mail, len(entries), senders)
        yield
        if (counts := counts_here()) is not None:
            each = (time.perf_counter() - began) / len(entries)
            counts.observe("lion_broker_mail_process_seconds", each, times=len(entries))

    def commits(self) -> None:
        """Note that the turn is written down from now on."""
        if self._last is not None:
            self._commits = time.time()

    def written(self, error: str = "") -> None:
        """Note that a commit was answered, or why it failed: that is the end of mail that is only written down."""
        if self._writing is not None:
            self._writing.written(error)
            self._writing = None

    def committed(self, exchange: Exchange, ready: ReadyEntry, owner: str, turn: Worked) -> None:
        """Note what became of the turn's mails, now that it is written down."""
        counts = counts_here()
        if counts is not None:
            count_turn(counts, turn)
        if self._last is not None and (applied := _applied(turn)):
            mail = applied[0].mail if len(applied) == 1 else None
            header = mail.header if isinstance(mail, WireMail) else None
            ack(exchange, ready.session, ready.branch, owner, header, len(applied), self._last.context, self._commits)
        for entry, word, error in _put_elsewhere(turn):
            mail = next((one.mail for one in turn.entries if one.id == entry), None)
            header = mail.header if isinstance(mail, WireMail) else None
            context = self._last.context if self._last is not None and turn.failed is not None else None
            settle(word, exchange, ready.session, ready.branch, header, context, error)

    @staticmethod
    def received(exchange: Exchange, ready: ReadyEntry, owner: str, answer: Claimed, began: float = 0.0) -> None:
        """Note that mails came with an answer; `began` is when it was asked for, 0 where it was not asked for them."""
        if not answer.entries:
            end_written_down()
            return
        count_received(mails := len(answer.entries))
        if began and otel() is not None:
            senders = senders_of(answer.entries).values()
            receive(exchange, ready.session, ready.branch, owner, mails, senders, began)


class Handling:
    """Around the handling of one mail: log lines and mail that is sent name it, and its span is the current one."""

    __slots__ = ("_account", "_attempts", "_before", "_began", "_cause", "_host", "_wire", "failure")

    def __init__(self, account: Account, host: Host, wire: WireMail, attempts: int) -> None:
        self._account, self._host, self._wire, self._attempts = account, host, wire, attempts
        self.failure: Failure | None = None

    def __enter__(self) -> Self:
        host, mail = self._host, self._wire.header.id
        self._before = now_about(
            {"session": host.context.session, "branch": host.branch.id, "mail": mail, "attempt": str(self._attempts)}
        )
        self._began = time.perf_counter()
        self._account.begin(host, self._wire)
        self._cause = host.because_of(mail)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._account._shared is not None or counts_here() is not None:
            seconds = time.perf_counter() - self._began
            failed = self.failure.error if self.failure is not None else error
            self._account.end(seconds, "" if failed is None else type(failed).__name__)
        self._host.because_of(self._cause)
        back_to(self._before)


def senders_of(entries: Sequence[Entry]) -> dict[str, Header]:
    """The spans that have sent mails, each with the header of one of its mails."""
    try:
        # There is nothing but mail, nearly always: a third as much as to look at each.
        found = {(header := entry.mail.header).traceparent: header for entry in entries}  # type: ignore[union-attr]
    except AttributeError:
        headers = [entry.mail.header for entry in entries if isinstance(entry.mail, WireMail)]
        found = {header.traceparent: header for header in headers}
    return {traceparent: header for traceparent, header in found.items() if traceparent is not None}


def count_turn(counts: Counts, turn: Worked) -> None:
    """Count the mails that a turn is through with."""
    through = turn.entries[: turn.done]
    if turn.lane and turn.deferred:
        through = turn.entries[: turn.done + 1]
    for (category, outcome), mails in _ended(turn, through).items():
        if outcome:
            counts.add("lion_broker_mails_processed_total", mails, category, outcome)
    if turn.attempts > 1:
        counts.add("lion_broker_redeliveries_total")
    if turn.lane:
        return
    for at, mails in _arrivals(through):
        counts.observe("lion_broker_mail_wait_seconds", max(0.0, (turn.now - at) / 1000), times=mails)


def _arrivals(entries: Sequence[Entry]) -> Iterable[tuple[int, int]]:
    """When entries of a mailbox came, in ms, and how many at the same time; those between two of a time came then."""
    if not entries:
        return ()
    first, last = (int(entries[end].id.partition("-")[0]) for end in (0, -1))
    if first == last:
        # Most were sent together.
        return ((first, len(entries)),)
    return Counter(int(entry.id.partition("-")[0]) for entry in entries).items()


def _ended(turn: Worked, through: Sequence[Entry]) -> Mapping[tuple[str, str], int]:
    """How many mails of a category ended how; those without an outcome are not counted."""
    if not (turn.buried or turn.deferred):
        return {(category, "ok"): mails for category, mails in _categories(through).items()}
    ends = {one.entry: "dropped" if one.reason == "duplicate" else "dead" for one in turn.buried}
    ends |= {one.entry: "retry" if one.attempts else "" for one in turn.deferred}
    return Counter((_category(entry), ends.get(entry.id, "ok")) for entry in through)


def _applied(turn: Worked) -> list[Entry]:
    """The entries that took effect."""
    through = turn.entries[: turn.done]
    aside = {one.entry for one in turn.buried} | {one.entry for one in turn.deferred}
    return [entry for entry in through if entry.id not in aside] if aside else through


def _categories(entries: Sequence[Entry]) -> Mapping[str, int]:
    """How many entries have mail of a category."""
    try:
        # There is nothing but mail, nearly always.
        return Counter([entry.mail.header.category for entry in entries])  # type: ignore[union-attr]
    except AttributeError:
        return Counter(map(_category, entries))


def _category(entry: Entry) -> str:
    return "unknown" if isinstance(entry.mail, Rejected) else entry.mail.header.category


def _put_elsewhere(turn: Worked) -> Sequence[tuple[str, str, str]]:
    """The entries that were not applied, what became of them, and why."""
    if not (turn.buried or turn.deferred):
        return ()
    dead = [(one.entry, "dead_letter", one.error or one.reason) for one in turn.buried]
    tried = type(turn.failed.error).__name__ if turn.failed is not None else "failed"
    return dead + [(one.entry, "nack", tried) for one in turn.deferred if one.attempts]
