"""What telemetry adds to mail, in spans, values and calls of functions; no clock is read, and no server asked."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from lion_broker import Registry, Session
from lion_broker.mail.memory import MemoryExchange
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import Claimed, Entry, ReadyEntry
from lion_broker.mail.wire import Header, WireMail
from lion_broker.telemetry import otel
from lion_broker.telemetry.counts import counting
from lion_broker.telemetry.mail_spans import process
from lion_broker.telemetry.otel import used
from lion_broker.worker.account import Account
from lion_broker.worker.turn import Turn
from tests.conftest import RunningWorker
from tests.unit.telemetry.seen import Seen, watched

EXCHANGE = MemoryExchange()
READY = ReadyEntry("1-0", "s", "b")


@pytest.fixture(autouse=True)
def no_acts(monkeypatch: pytest.MonkeyPatch) -> None:
    """No act is watched here: who watches first does so for all tests that follow, and watchers are put back."""
    monkeypatch.setattr(otel, "_watching", True)


def entries(mails: int, sender: Callable[[int], int]) -> list[Entry]:
    """Mails that came in one millisecond, each sent in the span that `sender` says."""
    return [
        Entry(
            f"1000-{number}",
            WireMail(
                Header("s", "a", "b", "message", traceparent=f"00-{'a' * 32}-{sender(number) + 1:016x}-01"), b"{}"
            ),
        )
        for number in range(mails)
    ]


def turn_written_down(mails: Sequence[Entry]) -> None:
    """Say what a worker says of a turn that has written mails down."""
    account = Account()
    account.received(EXCHANGE, READY, "owner", Claimed(Outcome.OK, entries=tuple(mails)), 1.0)
    with account.writing_down(EXCHANGE, READY, "owner", mails):
        pass
    account.written("LOST")
    account.committed(EXCHANGE, READY, "owner", Turn(list(mails), now=2000, done=len(mails)))


@contextmanager
def counted() -> Iterator[list[int]]:
    """Count calls of Python and C functions in this thread; the list has their number afterwards."""
    found = [0]

    def note(frame: FrameType, event: str, argument: object) -> None:
        found[0] += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield found
    finally:
        sys.setprofile(before)


def calls_of(work: Callable[[], Any]) -> int:
    """How many calls it takes, when it has been done before."""
    work()
    with counted() as found:
        work()
    return found[0]


@contextmanager
def sampled_out() -> Iterator[None]:
    """A provider whose sampler wants no span."""
    tracers, meters = TracerProvider(sampler=ALWAYS_OFF), MeterProvider([], shutdown_on_exit=False)
    with used(tracers, meters):
        yield
    tracers.shutdown()
    meters.shutdown()


@pytest.mark.parametrize("watch", ["nobody", "prometheus", "opentelemetry"])
def test_mails_that_were_sent_together_add_nothing_to_their_turn(watch: str) -> None:
    """A turn with a hundred of them has the calls of one with ten, whoever watches."""
    few, many = entries(10, lambda _: 0), entries(100, lambda _: 0)
    if watch == "prometheus":
        counting()
    if watch == "opentelemetry":
        with watched():
            calls = [calls_of(lambda mails=mails: turn_written_down(mails)) for mails in (few, many)]  # type: ignore[misc]
    else:
        calls = [calls_of(lambda mails=mails: turn_written_down(mails)) for mails in (few, many)]  # type: ignore[misc]
    assert calls[1] - calls[0] <= 5
    assert calls[0] <= {"nobody": 50, "prometheus": 95, "opentelemetry": 450}[watch]


def test_a_link_to_a_further_trace_is_cheap_and_few_are_made() -> None:
    """Of mails that were sent apart eight are linked to; what makes a link is mostly the SDK's."""
    sent_together, sent_apart = entries(100, lambda _: 0), entries(100, lambda number: number)
    with watched() as seen:
        together = calls_of(lambda: turn_written_down(sent_together))
        apart = calls_of(lambda: turn_written_down(sent_apart))
        (first, *_) = seen.named("process ")
        assert len(seen.named("process ")[-1].links) == 8
        assert len(first.links) == 1
    assert apart - together <= 8 * 20


def test_a_mail_whose_trace_nobody_samples_makes_no_link() -> None:
    """It joins the span of its turn as if it had no trace."""
    mails = [entry.mail for entry in entries(8, lambda number: number)]
    headers = [mail.header for mail in mails if isinstance(mail, WireMail)]

    def handled() -> int:
        found = process(EXCHANGE, "s", "b", "owner", headers[0])
        assert found is not None
        with counted() as calls:
            for header in headers[1:]:
                found.joins(header)
        return calls[0]

    with watched():
        linked = handled()
    with sampled_out():
        alone = handled()
    assert alone <= 2 * len(headers)
    assert linked > 5 * alone


@pytest.mark.anyio
async def test_the_only_mails_of_many_branches_share_spans(
    running_worker: RunningWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sent together, received and written down at once: few spans and few values, whatever their number."""
    exchange, branches = MemoryExchange(), 60
    values: list[str] = []
    async with Session(exchange=exchange, delivery="auto") as session:
        with watched() as seen:
            recipients = [await session.anew_branch(pool="p") for _ in range(branches)]
            async with session.batch():
                for recipient in recipients:
                    session.default_branch.send(recipient, "message", "hello")
            note_values(seen, values, monkeypatch)
            async with running_worker(Registry(), exchange, pool="p"):
                await session.await_idle()
            received, written = seen.named("receive "), seen.named("process ")
    assert len(received) + len(written) < branches
    assert len(values) == len(received) + len(written)


def note_values(seen: Seen, values: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every value of a histogram noted."""
    from lion_broker.telemetry.tracing import Otel

    def record(self: Otel, name: str, value: float, attributes: Any) -> None:
        values.append(name)
        self.values.note(name, value, attributes)

    monkeypatch.setattr(Otel, "record", record)
