"""The `process` spans of mail that is only written down: few, however many turns the mail comes in."""

import asyncio
import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import pytest
from anyio.lowlevel import checkpoint
from opentelemetry.sdk.trace import ReadableSpan

from lion_broker import Registry, Session
from lion_broker.mail.memory import MemoryExchange
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import Claimed, Entry, ReadyEntry, Rejected
from lion_broker.mail.wire import Header, WireMail
from lion_broker.telemetry import written_down
from lion_broker.worker.account import Account
from tests.conftest import RunningWorker
from tests.unit.telemetry.seen import Seen, watched

pytestmark = pytest.mark.anyio

READY = ReadyEntry("1-0", "s", "b")
EXCHANGE = MemoryExchange()
NOTHING = Claimed(Outcome.DRAINED)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Seen]:
    """Exporters in memory; no clock ends a span."""
    monkeypatch.setattr(written_down, "_MOST_SECONDS", math.inf)
    with watched() as seen:
        yield seen


def sent_in(span: int, mails: int = 1) -> tuple[Entry, ...]:
    """Mails that were sent in a span."""
    header = Header("s", "a", "b", "message", traceparent=f"00-{'a' * 32}-{span:016x}-01")
    return tuple(Entry(f"{number}-0", WireMail(header, b"{}")) for number in range(1, mails + 1))


def branch(number: int) -> ReadyEntry:
    """A branch that is ready."""
    return ReadyEntry(f"{number + 1}-0", "s", f"b{number}")


def take_turn(entries: Sequence[Entry], error: str = "", ready: ReadyEntry = READY) -> None:
    """Write mails down and commit them."""
    account = Account()
    with account.writing_down(EXCHANGE, ready, "owner", entries):
        pass
    account.written(error)


async def all_ended() -> None:
    """Nothing follows, and the event loop has come round."""
    Account.received(EXCHANGE, READY, "owner", NOTHING)
    await checkpoint()


def mails_of(span: ReadableSpan) -> Any:
    """How many mails a span stands for."""
    told = dict(span.attributes or {})
    assert ("messaging.message.id" in told) is ("messaging.batch.message_count" not in told)
    return told.get("messaging.batch.message_count", 1)


def durations(seen: Seen) -> int:
    """How many durations were recorded."""
    (point,) = seen.metrics()["messaging.process.duration"].data.data_points
    return int(point.count)


async def test_turns_that_follow_share_a_span(seen: Seen, running_worker: RunningWorker) -> None:
    """A hundred mails of a backlog have one, in the trace of the span that sent them, however short the turns are."""
    exchange = MemoryExchange()
    async with Session(exchange=exchange, delivery="auto") as session:
        branch = await session.anew_branch(pool="p")
        async with session.batch():
            for _ in range(250):
                session.default_branch.send(branch, "message", "hello")
        async with running_worker(Registry(), exchange, pool="p", batch=20) as worker:
            await session.await_idle()
        assert worker.state.turns == 13
    sent, processed = seen.one("send "), seen.named("process ")
    assert sent.context is not None
    assert [mails_of(span) for span in processed] == [100, 100, 50]
    for span in processed:
        assert span.parent is not None
        assert (span.parent.trace_id, span.parent.span_id) == (sent.context.trace_id, sent.context.span_id)
        assert [link.context for link in span.links] == [span.parent]
        assert (span.start_time or 0) <= (span.end_time or 0)
    assert all((one.end_time or 0) <= (later.start_time or 0) for one, later in pairwise(processed))
    assert durations(seen) == 3


async def test_mail_of_other_spans_has_a_span_of_its_own(seen: Seen) -> None:
    """It goes on with the trace of who sent it, which a link from another trace would not."""
    for sender, mails in ((1, 2), (1, 1), (2, 1), (1, 3)):
        take_turn(sent_in(sender, mails))
        await checkpoint()
    await all_ended()
    found = [(mails_of(span), span.parent.span_id if span.parent else None) for span in seen.named("process ")]
    assert found == [(3, 1), (1, 2), (3, 1)]


async def test_branches_that_end_at_once_share_a_span(seen: Seen, running_worker: RunningWorker) -> None:
    """What was sent to many branches in one span is received and written down in few, in the trace of who sent it.

    Such a span names the session and no mailbox, where it stands for several.
    """
    exchange, branches = MemoryExchange(), 40
    async with Session(exchange=exchange, delivery="auto") as session:
        recipients = [await session.anew_branch(pool="p") for _ in range(branches)]
        async with session.batch():
            for recipient in recipients:
                session.default_branch.send(recipient, "message", "hello")
        async with running_worker(Registry(), exchange, pool="p"):
            await session.await_idle()
    sent = seen.one("send ")
    assert sent.context is not None
    for name in ("receive ", "process "):
        spans = seen.named(name)
        assert len(spans) < branches / 2
        assert {span.parent.span_id if span.parent else None for span in spans} == {sent.context.span_id}
        assert sum(mails_of(span) for span in spans) == branches
        for span in spans:
            told = dict(span.attributes or {})
            assert told["messaging.message.conversation_id"] == session.id
            assert ("messaging.destination.name" in told) is (mails_of(span) == 1)


async def test_what_ends_at_once_but_was_sent_apart_shares_none(seen: Seen) -> None:
    """Each goes on with its own trace, and names its mailbox; so does what came to one branch from several spans."""
    for number in (1, 2):
        Account.received(EXCHANGE, branch(number), "owner", Claimed(Outcome.OK, entries=sent_in(number)), 1.0)
        take_turn(sent_in(number), ready=branch(number))
    mixed = (*sent_in(3), *sent_in(4))
    Account.received(EXCHANGE, branch(3), "owner", Claimed(Outcome.OK, entries=mixed), 1.0)
    take_turn(mixed, ready=branch(3))
    await all_ended()
    for name in ("receive ", "process "):
        found = {
            (dict(span.attributes or {})["messaging.destination.name"], span.parent.span_id if span.parent else None)
            for span in seen.named(name)
        }
        assert found == {(EXCHANGE.mailbox("s", f"b{number}"), sent) for number, sent in ((1, 1), (2, 2), (3, None))}


async def test_a_shared_span_takes_no_more_than_a_hundred(seen: Seen) -> None:
    """Of more a span would say too little of each."""
    for number in range(3):
        take_turn(sent_in(1, 60), ready=branch(number))
    await all_ended()
    assert [mails_of(span) for span in seen.named("process ")] == [60, 60, 60]


def test_without_an_event_loop_it_ends_at_once(seen: Seen) -> None:
    """Nobody would come round."""
    Account.received(EXCHANGE, READY, "owner", Claimed(Outcome.OK, entries=sent_in(1)), 1.0)
    assert mails_of(seen.one("receive ")) == 1


def test_what_an_event_loop_has_left_ends_with_the_next(seen: Seen) -> None:
    """One may be closed before it comes round; no span is lost, and the next loop comes round for its own."""

    async def receive() -> None:
        Account.received(EXCHANGE, READY, "owner", Claimed(Outcome.OK, entries=sent_in(1)), 1.0)
        await checkpoint()

    closed = asyncio.new_event_loop()
    asyncio._set_running_loop(closed)
    Account.received(EXCHANGE, READY, "owner", Claimed(Outcome.OK, entries=sent_in(1)), 1.0)
    asyncio._set_running_loop(None)
    closed.close()
    asyncio.run(receive())
    assert [mails_of(span) for span in seen.named("receive ")] == [1, 1]


@pytest.mark.parametrize(("most", "found"), [(math.inf, [3]), (-1.0, [1, 1, 1])])
async def test_an_old_span_takes_no_more(
    seen: Seen, monkeypatch: pytest.MonkeyPatch, most: float, found: list[int]
) -> None:
    """It would be seen too late."""
    monkeypatch.setattr(written_down, "_MOST_SECONDS", most)
    for _ in range(3):
        take_turn(sent_in(1))
        await checkpoint()
    await all_ended()
    assert [mails_of(span) for span in seen.named("process ")] == found


async def test_a_commit_that_fails_is_told_alone(seen: Seen) -> None:
    """What was committed before has a span without the error."""
    take_turn(sent_in(1, 4))
    await checkpoint()
    take_turn(sent_in(1, 2), "FENCED")
    await checkpoint()
    found = [(mails_of(span), dict(span.attributes or {}).get("error.type")) for span in seen.named("process ")]
    assert sorted(found) == [(2, "FENCED"), (4, None)]


async def test_other_work_ends_the_span(seen: Seen) -> None:
    """The turns of mail that is handled come after it."""
    take_turn(sent_in(1, 4))
    assert seen.named("process ") == []
    with Account():
        await checkpoint()
        assert [mails_of(span) for span in seen.named("process ")] == [4]
    await all_ended()
    assert len(seen.named("process ")) == 1


@pytest.mark.parametrize("ended", [False, True])
async def test_the_span_ends_with_its_task(seen: Seen, ended: bool) -> None:
    """Also where a worker is stopped between two turns; and it ends once."""
    working = asyncio.Event()

    async def serve() -> None:
        take_turn(sent_in(1, 4))
        if ended:
            Account.received(EXCHANGE, READY, "owner", NOTHING)
        working.set()
        await asyncio.Event().wait()

    task = asyncio.ensure_future(serve())
    await working.wait()
    assert len(seen.named("process ")) == ended
    task.cancel()
    await asyncio.wait([task])
    assert [mails_of(span) for span in seen.named("process ")] == [4]


async def test_entries_that_are_no_mail_are_received(seen: Seen) -> None:
    """They are counted, and the span goes on with the trace of the mail beside them."""
    entries = (*sent_in(1, 2), Entry("3-0", Rejected("malformed", "no header", {})))
    Account.received(EXCHANGE, READY, "owner", Claimed(Outcome.OK, entries=entries), 1.0)
    await checkpoint()
    received = seen.one("receive ")
    assert received.parent is not None
    assert (received.parent.span_id, dict(received.attributes or {})["messaging.batch.message_count"]) == (1, 3)
