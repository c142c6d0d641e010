"""Spans and metrics of mail, models, tools and branches, as exporters in memory see them."""

import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan

from lion_broker import Branch, Mail, Registry, Session
from lion_broker.mail.memory import MemoryExchange
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import Claimed, Entry, ReadyEntry
from lion_broker.mail.wire import Header, WireMail
from lion_broker.telemetry.names import ATTRIBUTES, INSTRUMENTS, SCHEMA_URL, SPANS, TEMPLATE
from lion_broker.testing import ScriptedModel, tool_calls
from lion_broker.worker import account, turn
from lion_broker.worker.account import Account
from lion_broker.worker.schedule import Schedule
from tests.conftest import RunningWorker
from tests.unit.telemetry.seen import Seen, watched

pytestmark = pytest.mark.anyio

SECRET = "the lion sleeps tonight"


@pytest.fixture
def seen() -> Iterator[Seen]:
    """Exporters in memory."""
    with watched() as seen:
        yield seen


@pytest.fixture
def registry() -> Registry:
    """Behaviours that answer, fail, and ask."""
    registry = Registry()

    @registry.behaviour("echo")
    async def echo(branch: Branch, mail: Mail) -> None:
        await branch.asend(mail.sender, "message", "re")

    @registry.behaviour("fail", attempts=2, backoff=0.01)
    async def fail(branch: Branch, mail: Mail) -> None:
        raise LookupError(SECRET)

    @registry.behaviour("slow")
    async def slow(branch: Branch, mail: Mail) -> None:
        await anyio.sleep(0.006)

    return registry


def parent_of(span: ReadableSpan) -> int | None:
    """The id of a span's parent."""
    return int(span.parent.span_id) if span.parent is not None else None


def told_by(span: ReadableSpan) -> dict[str, Any]:
    """The attributes of a span."""
    return dict(span.attributes or {})


def id_of(span: ReadableSpan) -> int:
    """The id of a span."""
    assert span.context is not None
    return int(span.context.span_id)


def traces(spans: list[ReadableSpan]) -> set[int]:
    """The traces that spans belong to."""
    return {span.context.trace_id for span in spans if span.context is not None}


def look(word: str) -> str:
    """Look something up.

    Args:
        word: What to look up.
    """
    return f"{word}: {SECRET}"


async def test_a_mail_and_its_answer_are_one_trace(
    seen: Seen, registry: Registry, running_worker: RunningWorker
) -> None:
    """Sent, received, processed, answered and processed again, each the child of what led to it."""
    exchange = MemoryExchange()
    async with (
        Session(exchange=exchange, delivery="auto") as session,
        running_worker(registry, exchange, pool="p") as worker,
    ):
        plain = await session.anew_branch(name="plain", pool="p")
        echo = await session.anew_branch(name="echo", pool="p", behaviour="echo")
        await plain.asend(echo, "message", SECRET)
        await session.await_idle()
    spans = [span for span in seen.spans if TEMPLATE in span.name]
    sent, answered = seen.named("send ")
    (processed,) = [span for span in seen.named("process ") if parent_of(span) == id_of(sent)]
    assert parent_of(answered) == id_of(processed)
    (written,) = [span for span in seen.named("process ") if parent_of(span) == id_of(answered)]
    assert [link.context.span_id for link in written.links] == [id_of(answered)]
    assert {parent_of(span) for span in seen.named("receive ")} == {id_of(sent), id_of(answered)}
    # To write a mail down is to commit it, and no span of its own.
    ack = seen.one("ack ")
    assert parent_of(ack) == id_of(processed)
    assert told_by(ack)["messaging.operation.type"] == "settle"
    assert told_by(ack)["messaging.message.id"] == told_by(processed)["messaging.message.id"]
    assert len(traces(seen.spans)) == 1
    assert parent_of(sent) == id_of(seen.one("invoke_workflow"))
    for span in spans:
        told = dict(span.attributes or {})
        assert told["messaging.system"] == "redis"
        assert told["messaging.destination.template"] == TEMPLATE
        assert told["messaging.message.conversation_id"] == told["session.id"] == session.id
        assert told["messaging.operation.name"] == span.name.partition(" ")[0]
    assert (processed.attributes or {})["messaging.client.id"] == worker.owner
    assert (processed.attributes or {})["messaging.destination.name"] == exchange.mailbox(session.id, echo.id)
    assert all(SECRET not in span.to_json() for span in seen.spans)
    metrics = seen.metrics()
    for name in ("messaging.client.sent.messages", "messaging.client.consumed.messages"):
        assert [point.value for point in metrics[name].data.data_points] == [2]
    (point,) = metrics["messaging.process.duration"].data.data_points
    assert (point.count, point.explicit_bounds) == (2, INSTRUMENTS["messaging.process.duration"].buckets)


async def test_a_mail_that_fails(seen: Seen, registry: Registry, running_worker: RunningWorker) -> None:
    """Its handling has the error's class and not its text; it is put back, and in the end a dead letter."""
    exchange = MemoryExchange()
    async with (
        Session(exchange=exchange, delivery="auto") as session,
        running_worker(registry, exchange, pool="p"),
    ):
        branch = await session.anew_branch(pool="p", behaviour="fail")
        await session.default_branch.asend(branch, "message", "hello")
        await session.await_idle()
    tried = seen.named("process ")
    assert [(span.attributes or {})["error.type"] for span in tried] == ["LookupError"] * 2
    assert [span.status.status_code for span in tried] == [trace.StatusCode.ERROR] * 2
    assert parent_of(seen.one("nack ")) == id_of(tried[0])
    assert parent_of(seen.one("dead_letter ")) == id_of(tried[1])
    assert (seen.one("dead_letter ").attributes or {})["messaging.operation.type"] == "settle"
    assert seen.named("ack ") == []
    assert all(SECRET not in span.to_json() for span in seen.spans)


async def test_many_mails_share_a_span(seen: Seen, registry: Registry, running_worker: RunningWorker) -> None:
    """What is only written down, and what is sent in a batch; the span counts them and links to each sending once."""
    exchange = MemoryExchange()
    async with Session(exchange=exchange, delivery="auto") as session:
        plain = await session.anew_branch(pool="p")
        async with session.batch():
            for _ in range(5):
                session.default_branch.send(plain, "message", "hello")
        session.default_branch.send(plain, "message", "alone")
        async with running_worker(registry, exchange, pool="p"):
            await session.await_idle()
    together, alone = seen.named("send ")
    processed = seen.one("process ")
    assert (together.attributes or {})["messaging.batch.message_count"] == 5
    assert "messaging.batch.message_count" not in (alone.attributes or {})
    assert (processed.attributes or {})["messaging.batch.message_count"] == 6
    assert {link.context.span_id for link in processed.links} == {id_of(together), id_of(alone)}
    assert parent_of(processed) is None
    assert seen.named("ack ") == []


@pytest.mark.parametrize("error", ["", "FENCED"])
async def test_to_write_down_is_to_commit(seen: Seen, error: str) -> None:
    """The span of mail that is only written down is there when no more comes, and says whether it was committed."""
    exchange, one = MemoryExchange(), Account()
    ready, mail = ReadyEntry("1-0", "s", "b"), WireMail(Header("s", "a", "b", "message"), b"{}")
    with one.writing_down(exchange, ready, "owner", (Entry("1-0", mail),)):
        assert seen.named("process ") == []
    assert seen.named("process ") == []
    one.written(error)
    one.written("nothing is open any more")
    one.received(exchange, ready, "owner", Claimed(Outcome.DRAINED))
    await anyio.lowlevel.checkpoint()
    assert told_by(seen.one("process ")).get("error.type", "") == error


@pytest.mark.parametrize("longest", [0.0, 3600.0])
async def test_what_takes_long_has_a_span_of_its_own(
    seen: Seen, registry: Registry, running_worker: RunningWorker, longest: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many mails a turn holds; it ends before the next one's begins."""
    monkeypatch.setattr(Schedule, "may_last", lambda self, waited: longest)
    exchange = MemoryExchange()
    async with Session(exchange=exchange, delivery="auto") as session:
        branch = await session.anew_branch(pool="p", behaviour="slow")
        for number in range(4):
            session.default_branch.send(branch, "message", f"{number}")
        async with running_worker(registry, exchange, pool="p"):
            await session.await_idle()
    processed = sorted(seen.named("process "), key=lambda span: span.start_time or 0)
    assert {parent_of(span) for span in processed} == {id_of(span) for span in seen.named("send ")}
    assert all((one.end_time or 0) <= (later.start_time or 0) for one, later in pairwise(processed))


async def test_a_mail_is_not_long_because_others_go_first(
    seen: Seen, registry: Registry, running_worker: RunningWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mails that take little share a span, however long other branches work between two of them."""
    now = [0.0]

    async def let_others_work(*_: object) -> bool:
        now[0] += 1.0
        return True

    monkeypatch.setattr(turn, "_goes_on", let_others_work)
    monkeypatch.setattr(Schedule, "slice_seconds", -1.0)
    monkeypatch.setattr(account, "time", SimpleNamespace(perf_counter=lambda: now[0], time=time.time))
    exchange = MemoryExchange()
    async with Session(exchange=exchange, delivery="auto") as session:
        branch = await session.anew_branch(pool="p", behaviour="echo")
        async with session.batch():
            for number in range(4):
                session.default_branch.send(branch, "message", f"{number}")
        async with running_worker(registry, exchange, pool="p"):
            await session.await_idle()
    assert now[0] >= 3
    assert told_by(seen.one("process "))["messaging.batch.message_count"] == 4
    assert len(seen.named("send ")) == 2


async def test_links_instead_of_parents(
    monkeypatch: pytest.MonkeyPatch, registry: Registry, running_worker: RunningWorker
) -> None:
    """With LION_BROKER_OTEL_PARENT=link each handling begins a trace."""
    monkeypatch.setenv("LION_BROKER_OTEL_PARENT", "link")
    exchange = MemoryExchange()
    with watched() as seen:
        async with Session(exchange=exchange, delivery="auto") as session, running_worker(registry, exchange, pool="p"):
            branch = await session.anew_branch(pool="p")
            await session.default_branch.asend(branch, "message", "hello")
            await session.await_idle()
    processed = seen.one("process ")
    assert parent_of(processed) is None
    assert [link.context.span_id for link in processed.links] == [id_of(seen.one("send "))]


async def test_a_branch_that_thinks(seen: Seen) -> None:
    """Its operation, the model's calls and the tool's are one tree; tokens are those that were counted."""
    script = ScriptedModel(tool_calls("look", {"word": "lion"}), "A cat.", name="acme/large")
    branch = Branch(name="ada", tools=[look])
    await branch.operate(SECRET, chat_model=script.imodel, actions=True, temperature=0.5, seed=7)
    agent = seen.one("invoke_agent ada")
    chats, tool = seen.named("chat large"), seen.one("execute_tool look")
    assert {parent_of(span) for span in (*chats, tool)} == {id_of(agent)}
    told = told_by(chats[0])
    assert (told["gen_ai.provider.name"], told["gen_ai.request.model"]) == ("acme", "large")
    assert (told["gen_ai.request.temperature"], told["gen_ai.request.seed"]) == (0.5, 7)
    assert told["gen_ai.usage.input_tokens"] > 0
    assert (chats[0].kind, tool.kind) == (trace.SpanKind.CLIENT, trace.SpanKind.INTERNAL)
    assert (tool.attributes or {})["gen_ai.tool.description"] == "Look something up."
    assert all(SECRET not in span.to_json() for span in seen.spans)
    usage = seen.metrics()["gen_ai.client.token.usage"].data.data_points
    assert {point.attributes["gen_ai.token.type"] for point in usage} == {"input", "output"}


async def test_what_was_said_only_when_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """With LION_BROKER_OTEL_CONTENT=1 the question, the answer, the tools and their results are there."""
    monkeypatch.setenv("LION_BROKER_OTEL_CONTENT", "1")
    script = ScriptedModel(tool_calls("look", {"word": "lion"}), "A cat.", name="acme/large")
    branch = Branch(name="ada", system="Be brief.", tools=[look])
    with watched() as seen:
        await branch.operate("What is a lion?", chat_model=script.imodel, actions=True)
    first, second = (dict(span.attributes or {}) for span in seen.named("chat "))
    assert "What is a lion?" in str(first["gen_ai.input.messages"])
    assert "Be brief." in str(first["gen_ai.system_instructions"])
    assert "look" in str(first["gen_ai.tool.definitions"])
    assert "A cat." in str(second["gen_ai.output.messages"])
    tool = dict(seen.one("execute_tool").attributes or {})
    assert (tool["gen_ai.tool.call.arguments"], SECRET in str(tool["gen_ai.tool.call.result"])) == (
        '{"word": "lion"}',
        True,
    )


async def test_a_stream_is_current_only_while_it_speaks(seen: Seen) -> None:
    """Who reads it has the span that was there before, also after an early end."""
    branch = Branch(name="ada", imodel=ScriptedModel("one two three", "four five six").imodel)
    with trace.get_tracer("test").start_as_current_span("mine"):
        before = trace.get_current_span()
        async for _ in branch.stream("Count."):
            assert trace.get_current_span() is before
        pieces = branch.stream("Count.")
        await anext(pieces)
        await pieces.aclose()
        assert trace.get_current_span() is before
    chat = seen.named("chat ")[0]
    assert told_by(chat)["gen_ai.request.stream"] is True
    assert told_by(chat)["gen_ai.response.time_to_first_chunk"] > 0
    assert [parent_of(span) for span in seen.named("chat ")] == [id_of(span) for span in seen.named("invoke_agent ")]
    assert "gen_ai.client.operation.time_to_first_chunk" in seen.metrics()


async def test_the_names_are_the_pinned_ones(seen: Seen, registry: Registry, running_worker: RunningWorker) -> None:
    """No span, attribute or metric has a name that is not in the module of names."""
    exchange = MemoryExchange()
    async with (
        Session(exchange=exchange, delivery="auto", name="tea") as session,
        running_worker(registry, exchange, pool="p"),
    ):
        fail = await session.anew_branch(name="fail", pool="p", behaviour="fail")
        guide = await session.anew_branch(name="guide", pool="p", imodel="offline/extractive")
        await session.default_branch.asend(fail, "message", "hello")
        await guide.communicate("What is tea?", context=["Tea is a drink."])
        await session.await_idle()
    words = {name.split()[0] for name in SPANS}
    for span in seen.spans:
        assert span.name.split()[0] in words
        assert set(span.attributes or {}) <= set(ATTRIBUTES)
        assert span.instrumentation_scope is not None
        assert span.instrumentation_scope.schema_url == SCHEMA_URL
    assert seen.metrics().keys() <= INSTRUMENTS.keys()
    assert seen.one("chat extractive").kind is trace.SpanKind.INTERNAL


@pytest.mark.parametrize(
    "traceparent",
    ["", "nonsense", "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "ff-" + "a" * 32 + "-" + "b" * 16 + "-01"],
)
async def test_a_hostile_context_is_none(
    seen: Seen, registry: Registry, running_worker: RunningWorker, traceparent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mail with nonsense for a context is handled as one without."""
    from lion_broker.telemetry.tracing import Otel

    carried: Callable[..., dict[str, str]] = lambda *_: {"traceparent": traceparent} if traceparent else {}  # noqa: E731
    monkeypatch.setattr(Otel, "carried", carried)
    exchange = MemoryExchange()
    async with (
        Session(exchange=exchange, delivery="auto") as session,
        running_worker(registry, exchange, pool="p"),
    ):
        branch = await session.anew_branch(pool="p")
        await session.default_branch.asend(branch, "message", "hello")
        await session.await_idle()
        assert session.counters()["applied"] == 1
    processed = seen.one("process ")
    assert (parent_of(processed), len(processed.links)) == (None, 0)
