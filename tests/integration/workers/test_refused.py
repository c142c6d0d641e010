"""Mail that no worker can do becomes a dead letter with a reason; the workers live and other mail goes on."""

import secrets
from collections.abc import Iterator

import pytest

from lion_broker import (
    ConfigError,
    Instruction,
    ItemNotFoundError,
    MailTooLarge,
    ModelError,
    NotPortable,
    Session,
)
from lion_broker.broker.signing import Signer
from lion_broker.mail.verbs import Post, ReadSession
from lion_broker.mail.wire import Header, WireMail, encode_json
from lion_broker.testing import wait_until
from tests.stage import Program, Stage

pytestmark = [pytest.mark.redis, pytest.mark.processes]


@pytest.fixture
def session(stage: Stage) -> Iterator[Session]:
    """A session with automatic delivery."""
    with Session(exchange=stage.exchange, delivery="auto") as session:
        yield session


@pytest.fixture
def worker(stage: Stage) -> Program:
    """One worker of the pool."""
    return stage.worker(pool="p")


def reasons(session: Session) -> list[str]:
    """Why mail became dead letters."""
    return [letter.reason for letter in session.dead_letters]


def texts(session: Session) -> list[str]:
    """What the default branch was answered."""
    session.wait_idle()
    session.default_branch.receive_all()
    return [message.instruction for message in session.default_branch.messages]


def test_a_behaviour_that_always_raises(session: Session, worker: Program) -> None:
    """After the attempts allowed the mail is set aside with the error; what it had sent is not sent."""
    remote = session.new_branch(name="remote", pool="p", behaviour="moody")
    other = session.new_branch(name="other", pool="p", behaviour="moody")
    for text in ("fail", "one", "fail again", "two"):
        session.default_branch.send(remote, "message", text)
    session.default_branch.send(other, "message", "three")
    assert sorted(texts(session)) == ["re one", "re three", "re two"]
    letters = session.dead_letters
    assert [letter.attempts for letter in letters] == [3, 3]
    assert "RuntimeError: no wish to do fail" in letters[0].detail
    assert [str(entry) for entry in remote.logs] == ["at one", "at two"]
    assert worker.alive


def test_a_mail_that_kills_its_worker(session: Session, stage: Stage, worker: Program) -> None:
    """It is tried a few times, then it is poison; the mail behind it and other branches go on."""
    remote = session.new_branch(name="remote", pool="p", behaviour="moody")
    other = session.new_branch(name="other", pool="p", behaviour="moody")
    home = session.default_branch
    for text in ("die", "one"):
        home.send(remote, "message", text)
    deaths, running = 0, worker
    while True:
        wait_until(lambda: not running.alive or session.dead_letters, 60)  # noqa: B023 - asked at once
        if running.alive:
            break
        deaths += 1
        running = stage.worker(pool="p", lease=0.5)
    home.send(other, "message", "two")
    assert sorted(texts(session)) == ["re one", "re two"]
    (letter,) = session.dead_letters
    assert (letter.reason, letter.attempts, letter.branch) == ("poison", 3, remote.id)
    assert deaths == 3


def test_unknown_names(session: Session, worker: Program) -> None:
    """A behaviour, tool or model that no worker knows is a dead letter that says so."""
    lost = session.new_branch(name="lost", pool="p", behaviour="nobody knows it")
    remote = session.new_branch(name="remote", pool="p", behaviour="echo")
    home = session.default_branch
    home.send(lost, "message", "hello")
    home.send(remote, "tool", "no such tool")
    home.send(remote, "imodel", "no such model")
    home.send(remote, "message", "and on")
    assert texts(session) == ["re and on"]
    letters = {letter.reason: letter for letter in session.dead_letters}
    assert set(letters) == {"unknown_behaviour", "unknown_tool", "unknown_model"}
    assert "'nobody knows it'" in letters["unknown_behaviour"].detail
    assert "search" in letters["unknown_tool"].detail
    assert worker.alive


def test_a_tool_and_a_model_by_name(session: Session, worker: Program) -> None:
    """Registered names reach the worker, which uses its own objects for them."""
    remote = session.new_branch(name="remote", pool="p", behaviour="echo")
    session.default_branch.send(remote, "tool", ["search", "add"])
    session.default_branch.send(remote, "imodel", "quote")
    session.wait_idle()
    assert set(remote.tools) == {"search", "add"}
    assert remote.chronicle.models == {"chat": {"slot": "chat", "ref": "quote"}}
    assert reasons(session) == []


def test_a_wrong_key(session: Session, stage: Stage, worker: Program) -> None:
    """Mail that is signed with another key has no effect but a dead letter, and the worker lives."""
    remote = session.new_branch(name="remote", pool="p", behaviour="echo")
    forger = stage.connect()
    assert forger.call(ReadSession(session.id))
    # Whoever writes to the server by other means than a new exchange is not asked for the namespace's key.
    forger._codec.signer = Signer(secrets.token_bytes(32), namespace=forger.namespace)
    body = encode_json({"item": Instruction.create(instruction="forged").to_dict()}, "item")
    mail = WireMail(Header(session.id, session.default_branch.id, remote.id, "message"), body)
    with forger:
        forger.call(Post(session.id, "forger", 1, (mail,)))
    session.default_branch.send(remote, "message", "real")
    assert texts(session) == ["re real"]
    (letter,) = session.dead_letters
    assert letter.reason == "bad_signature"
    assert letter.mail is None
    assert [message.instruction for message in remote.messages] == ["real"]
    assert f"the mail {mail.id} becomes a dead letter: bad_signature" in worker.errors
    assert "forged" not in worker.errors


def test_what_cannot_be_sent_is_refused_before_it_moves(session: Session, worker: Program) -> None:
    """Ten megabytes, an unknown branch and a lambda are errors of `send` that say what to do; nothing is stored."""
    remote = session.new_branch(name="remote", pool="p", behaviour="echo")
    home = session.default_branch
    with pytest.raises(MailTooLarge, match="Send a reference"):
        home.send(remote, "message", "x" * 10_000_000)
    with pytest.raises(ItemNotFoundError, match="nobody"):
        home.send("nobody", "message", "hello")
    with pytest.raises(NotPortable, match=r"@registry\.tool"):
        home.send(remote, "tool", lambda: None)
    assert texts(session) == []
    assert session.counters()["posted"] == 0


@pytest.mark.anyio
async def test_an_operation_that_fails_raises_here(stage: Stage) -> None:
    """The error of an operation on a worker is raised by the caller's own call; the branch is as it was."""
    stage.worker(pool="p")
    async with Session() as session:
        remote = await session.anew_branch(name="remote", pool="p")
        with pytest.raises(ModelError, match=r"has no model"):
            await remote.communicate("hello")
        with pytest.raises(ConfigError, match="no such model"):
            await remote.communicate("hello", chat_model="no such model")
        with pytest.raises(NotPortable):
            await remote.communicate("hello", context=[object()])
        await remote.sync()
        assert len(remote.chronicle.msgs.messages) == 0
        assert await remote.communicate("What is it?", context=["It is a lion."], chat_model="quote")
        assert len(remote.messages) == 2
