"""The same mail once more, byte for byte: it has taken effect once, and a copy of it has none."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from lion_broker import Branch, Mail, Registry, RemoteBranch, Session, Worker
from lion_broker.branch import known_mails
from lion_broker.core.ids import IDType
from lion_broker.mail.memory import MemoryExchange
from lion_broker.mail.verbs import Post
from lion_broker.mail.wire import Header, WireMail, encode_json
from lion_broker.messages import Instruction
from lion_broker.testing import ScriptedModel


@pytest.fixture
def seen() -> list[str]:
    """What the behaviour was given."""
    return []


@pytest.fixture
def registry(seen: list[str]) -> Registry:
    """One behaviour that notes what it is given, and a model."""
    registry = Registry()
    registry.model("model", ScriptedModel("one", "two").imodel)

    @registry.behaviour("note", record=False)
    async def note(branch: Branch, mail: Mail) -> None:
        seen.append(str(mail.package.item))

    return registry


@pytest.fixture
def session() -> Iterator[Session]:
    """A session with automatic delivery."""
    with Session(exchange=MemoryExchange(), delivery="auto") as session:
        yield session


def serve(session: Session, registry: Registry) -> None:
    """Let a worker do everything that waits; each one is new and remembers nothing."""
    worker = Worker(registry, exchange=session.exchange, pool="p")

    async def work() -> None:
        async with worker:
            await worker.run(until_idle=True)

    asyncio.run(work())


def mail_to(session: Session, recipient: str, category: str = "message", item: Any = None) -> WireMail:
    """A mail of the default branch."""
    item = Instruction.create(instruction="hello").to_dict() if item is None else item
    header = Header(session.id, session.default_branch.id, recipient, category)
    return WireMail(header, encode_json({"item": item}, "item"))


def post(session: Session, *mails: WireMail) -> None:
    """Bring mails on their way, whoever has sent them."""
    session.exchange.call(Post(session.id, str(IDType.create()), 1, mails))


def reasons(session: Session) -> list[str]:
    """Why mail became dead letters."""
    return [letter.reason for letter in session.dead_letters]


def remote_of(session: Session, **options: Any) -> RemoteBranch:
    """A branch on workers."""
    branch: RemoteBranch = session.new_branch(name="remote", pool="p", **options)
    return branch


@pytest.mark.parametrize("category", ["message", "signal"])
@pytest.mark.parametrize("together", [True, False])
def test_a_behaviour_is_called_once(
    session: Session, registry: Registry, seen: list[str], category: str, together: bool
) -> None:
    """A copy in the same turn or after any time, by the same worker or another, is a dead letter."""
    remote = remote_of(session, behaviour="note")
    mail = mail_to(session, remote.id, category)
    for mails in [(mail, mail)] if together else [(mail,), (mail,)]:
        post(session, *mails)
        serve(session, registry)
    assert len(seen) == 1
    assert reasons(session) == ["duplicate"]
    assert session.counters()["applied"] == 1


def test_a_copy_that_comes_very_late(session: Session, registry: Registry, seen: list[str]) -> None:
    """After more mail than is remembered as it came, to the same worker, which has not read the branch again."""
    remote = remote_of(session, behaviour="note")
    mails = [mail_to(session, remote.id, item=f"mail {number}") for number in range(3 * known_mails._LATEST)]

    async def work() -> None:
        async with Worker(registry, exchange=session.exchange, pool="p") as worker:
            for some in (mails, [mails[0], mails[1]]):
                post(session, *some)
                await worker.run(until_idle=True)

    asyncio.run(work())
    assert len(seen) == len(mails)
    assert reasons(session) == ["duplicate"] * 2


def test_a_command_is_done_once(session: Session, registry: Registry) -> None:
    """Its copy asks no model."""
    remote = remote_of(session)
    arguments = {"instruction": "What?", "chat_model": "model"}
    mail = mail_to(session, remote.id, "command", {"op": "communicate", "args": arguments})
    for _ in range(2):
        post(session, mail)
        serve(session, registry)
    assert [message.text for message in remote.messages] == ["What?", "one"]
    assert reasons(session) == ["duplicate"]


def test_a_history_has_a_message_once(session: Session, registry: Registry) -> None:
    """Where nobody reads the history before it is written on, a copy is passed over by whoever reads it."""
    remote = remote_of(session)
    mail = mail_to(session, remote.id)
    post(session, mail, mail)
    serve(session, registry)
    assert reasons(session) == ["duplicate"]
    assert [message.text for message in remote.messages] == ["hello"]
    edit = {"op": "edit", "args": {"name": "clear_messages", "args": {}}}
    post(session, mail_to(session, remote.id, "command", edit))
    serve(session, registry)
    assert len(remote.messages) == 0
    post(session, mail)
    serve(session, registry)
    assert len(remote.messages) == 0


def test_a_local_branch_takes_a_mail_once(session: Session) -> None:
    """Its copy in the inbox is a dead letter, while the first waits and after it was received."""
    ben = session.new_branch(name="ben")
    mail = mail_to(session, ben.id)
    post(session, mail, mail)
    ben.receive_all()
    post(session, mail)
    ben.receive_all()
    assert [message.text for message in ben.messages] == ["hello"]
    session.flush()
    assert reasons(session) == ["duplicate"] * 2
