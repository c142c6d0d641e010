"""What a worker does with mail: by category, by behaviour, and when something fails."""

import asyncio
from collections.abc import Iterator
from functools import partial
from typing import Any

import anyio
import pytest

from lion_broker import Branch, Instruction, Mail, Registry, RemoteBranch, Session, Worker, iModel
from lion_broker.mail.memory import MemoryExchange
from lion_broker.mail.verbs import Post, ReadBranches
from lion_broker.mail.wire import Header, WireMail, encode_json
from lion_broker.testing import ScriptedModel, await_until
from tests.conftest import RunningWorker


def text_of(mail: Mail) -> str:
    """What a message mail says, or what another one carries."""
    item = mail.package.item
    return item.instruction if isinstance(item, Instruction) else str(item)


@pytest.fixture
def seen() -> list[str]:
    """What behaviours were given."""
    return []


@pytest.fixture
def registry(seen: list[str]) -> Registry:
    """Behaviours that note what they are given, and one that is picky."""
    registry = Registry()
    registry.tool(len)
    registry.model("quote", iModel("offline", "extractive"))

    @registry.behaviour("note")
    async def note(branch: Branch, mail: Mail) -> None:
        seen.append(text_of(mail))

    @registry.behaviour("alone", record=False)
    async def alone(branch: Branch, mail: Mail) -> None:
        seen.append(text_of(mail))

    @registry.behaviour("picky", attempts=3, backoff=0)
    async def picky(branch: Branch, mail: Mail) -> None:
        seen.append(text_of(mail))
        branch.logs.log(f"at {text_of(mail)}")
        branch.register_tools(len, update=True)
        branch.send(mail.sender, "message", f"re {text_of(mail)}")
        branch.messages.include(Instruction.create(instruction=f"note on {text_of(mail)}"))
        if text_of(mail).startswith("bad"):
            raise RuntimeError("no")

    return registry


@pytest.fixture
def session(registry: Registry) -> Iterator[Session]:
    """A session with automatic delivery."""
    with Session(exchange=MemoryExchange(), delivery="auto") as session:
        yield session


def serve(session: Session, registry: Registry, **options: Any) -> Worker:
    """Let a worker do everything that waits."""
    worker = Worker(registry, exchange=session.exchange, pool="p", **options)

    async def work() -> None:
        async with worker:
            await worker.run(until_idle=True)

    asyncio.run(work())
    return worker


def post(session: Session, remote: RemoteBranch, *items: Any, category: str = "message") -> None:
    """Send everything in one go."""
    with session.batch():
        for item in items:
            session.default_branch.send(remote, category, item)


def heard(session: Session) -> list[str]:
    """What came back."""
    session.default_branch.receive_all()
    return [message.text for message in session.default_branch.messages]


@pytest.mark.parametrize("batch", [1, 3, 200])
def test_without_a_behaviour_messages_join_the_history(session: Session, registry: Registry, batch: int) -> None:
    """In order, whatever the size of a batch."""
    remote = session.new_branch(pool="p", system="Begin.")
    post(session, remote, *"abcdefg")
    worker = serve(session, registry, batch=batch)
    assert [message.text for message in remote.messages] == ["Begin.", *"abcdefg"]
    assert worker.state.mails == 7
    assert worker.state.turns == -(-7 // batch)


def test_a_behaviour_is_given_messages_and_what_has_no_meaning(
    session: Session, registry: Registry, seen: list[str]
) -> None:
    """Tools and models are registered without it."""
    remote = session.new_branch(pool="p", behaviour="note")
    post(session, remote, "hello")
    post(session, remote, "len", category="tool")
    post(session, remote, "quote", category="imodel")
    post(session, remote, "ring", category="signal")
    serve(session, registry)
    assert seen == ["hello", "ring"]
    assert (list(remote.tools), list(remote.chronicle.models)) == (["len"], ["chat"])
    assert session.counters()["applied"] == 4


def test_a_behaviour_that_records_by_itself(session: Session, registry: Registry, seen: list[str]) -> None:
    """With `record=False` a message does not join the history."""
    remote = session.new_branch(pool="p", behaviour="alone")
    post(session, remote, "hello")
    serve(session, registry)
    assert seen == ["hello"]
    assert len(remote.messages) == 0
    assert session.counters()["applied"] == 1


def test_what_nobody_understands_is_set_aside(session: Session, registry: Registry) -> None:
    """It waits in the mailbox, in order, and holds up nothing."""
    remote = session.new_branch(pool="p")
    post(session, remote, {"n": 1}, {"n": 2}, category="signal")
    post(session, remote, "hello")
    serve(session, registry)
    assert [mail.package.item for mail in remote.mailbox] == [{"n": 1}, {"n": 2}]
    assert [message.text for message in remote.messages] == ["hello"]
    assert session.counters()["inflight"] == 0


@pytest.mark.parametrize("batch", [1, 200])
@pytest.mark.parametrize("said", [["bad"], ["a", "bad"], ["bad", "b"], ["a", "bad", "b", "bad again", "c"]], ids=str)
def test_a_failing_mail(session: Session, registry: Registry, seen: list[str], said: list[str], batch: int) -> None:
    """It is tried three times, leaves no trace, and holds up nothing, wherever it is in a batch."""
    remote = session.new_branch(pool="p", behaviour="picky")
    post(session, remote, *said)
    serve(session, registry, batch=batch)
    good = [text for text in said if not text.startswith("bad")]
    assert heard(session) == [f"re {text}" for text in good]
    assert [str(entry) for entry in remote.logs] == [f"at {text}" for text in good]
    assert [message.text for message in remote.messages] == [
        line for text in good for line in (text, f"note on {text}")
    ]
    assert {text: seen.count(text) for text in said} == {text: 1 if text in good else 3 for text in said}
    assert [letter.attempts for letter in session.dead_letters] == [3] * (len(said) - len(good))
    assert list(remote.tools) == (["len"] if good else [])


@pytest.mark.parametrize(
    "error", [asyncio.CancelledError, ExceptionGroup, StopIteration, AssertionError, RecursionError]
)
def test_odd_errors(session: Session, error: type[BaseException]) -> None:
    """Whatever a behaviour raises, the worker lives, and the mail behind is done."""
    registry = Registry()

    @registry.behaviour("odd", backoff=0)
    async def odd(branch: Branch, mail: Mail) -> None:
        if text_of(mail) == "bad":
            raise error("odd", [ValueError("inner")]) if error is ExceptionGroup else error
        branch.send(mail.sender, "message", f"re {text_of(mail)}")

    remote = session.new_branch(pool="p", behaviour="odd")
    post(session, remote, "bad", "good")
    serve(session, registry)
    assert heard(session) == ["re good"]
    assert len(session.dead_letters) == 1


def test_a_message_that_is_none(session: Session, registry: Registry) -> None:
    """Bytes of another version that only look like a message: a dead letter, and the history stays readable."""
    remote = session.new_branch(pool="p")
    body = encode_json({"item": {"metadata": {"lion_class": "Instruction"}, "content": 5}}, "item")
    mail = WireMail(Header(session.id, session.id, remote.id, "message"), body)
    session.exchange.call(Post(session.id, "another-program", 1, (mail,)))
    post(session, remote, "hello")
    serve(session, registry)
    assert [message.text for message in remote.messages] == ["hello"]
    assert [letter.reason for letter in session.dead_letters] == ["malformed"]


def test_mail_to_oneself(session: Session) -> None:
    """A behaviour that writes to its own branch goes on until it stops."""
    registry = Registry()

    @registry.behaviour("count")
    async def count(branch: Branch, mail: Mail) -> None:
        number = int(text_of(mail))
        if number:
            branch.send(branch, "message", str(number - 1))

    remote = session.new_branch(pool="p", behaviour="count")
    post(session, remote, "20")
    serve(session, registry)
    assert [int(message.text) for message in remote.messages] == list(range(20, -1, -1))


def test_a_behaviour_that_writes_to_nobody(session: Session) -> None:
    """The error is its own; the dead letter says which branch there is not."""
    registry = Registry()

    @registry.behaviour("lost", backoff=0)
    async def lost(branch: Branch, mail: Mail) -> None:
        branch.send("nobody", "message", "hello")

    remote = session.new_branch(pool="p", behaviour="lost")
    post(session, remote, "go")
    serve(session, registry)
    (letter,) = session.dead_letters
    assert "nobody" in letter.detail
    assert letter.reason not in {"unknown_model", "unknown_tool"}


@pytest.mark.anyio
async def test_a_message_between_two_commands(registry: Registry, running_worker: RunningWorker) -> None:
    """A branch that has been read for the first one is told the message, so that the second one's model sees it."""
    model, begun, go = ScriptedModel("an answer"), asyncio.Event(), asyncio.Event()
    registry.model("model", model.imodel)

    @registry.tool
    async def slow() -> str:
        """Take a while."""
        begun.set()
        await go.wait()
        return "done"

    async with Session(exchange=MemoryExchange(), delivery="auto", timeout=100) as session:
        remote = await session.anew_branch(pool="p", tools=["slow"])
        async with running_worker(registry, session.exchange, pool="p", batch=1), anyio.create_task_group() as group:
            group.start_soon(remote.invoke_action, {"function": "slow", "arguments": {}})
            await begun.wait()
            await session.default_branch.asend(remote, "message", "between")
            group.start_soon(partial(remote.communicate, "and now?", chat_model="model"))
            await await_until(lambda: session.exchange.call(ReadBranches(session.id, (remote.id,)))[0].waiting == 3)
            go.set()
    assert [message.get("content") for message in model.requests[0].messages[-2:]] == ["between", "and now?"]
