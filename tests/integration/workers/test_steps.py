"""Recorded steps: a turn that is taken over does not ask again for what was answered."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lion_broker import Session
from lion_broker.__main__ import main
from lion_broker.cli.exits import Code
from lion_broker.errors import UnknownOutcome
from lion_broker.insight.lanes import lanes_steps
from lion_broker.mail.exchange import run
from lion_broker.testing import FakeModelServer, wait_until
from tests.stage import Program, Stage

pytestmark = [pytest.mark.redis, pytest.mark.processes]

LEASE = 5.0
"""One that ends when its worker has died, and not when a busy machine lets a worker wait for some seconds."""


@pytest.fixture
def server() -> Iterator[FakeModelServer]:
    """The model's server."""
    with FakeModelServer() as server:
        yield server


@pytest.fixture
def session(stage: Stage) -> Iterator[Session]:
    """A session with automatic delivery."""
    with Session(exchange=stage.exchange, delivery="auto", timeout=100) as session:
        yield session


def start(stage: Stage, server: FakeModelServer, desk: Path) -> Program:
    """Start a worker."""
    return stage.worker("tests.apps.thinkers:registry", "p", lease=LEASE, MODEL_URL=server.url, DESK=str(desk))


def lines(path: Path) -> list[str]:
    """The lines of a file; none while there is no file."""
    return path.read_text().splitlines() if path.exists() else []


def test_only_the_call_that_was_cut_is_made_again(
    session: Session,
    stage: Stage,
    server: FakeModelServer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The model's answer and a finished call are reused; the cut call comes again, under the same idempotency key."""
    monkeypatch.setenv("COLUMNS", "240")
    server.calls_tool("note", {"text": "one"}, {"text": "two"}).calls_tool("hang").says("Done.")
    tools = ["note", "hang"]
    branch = session.new_branch(name="ada", pool="p", behaviour="think", tools=tools, imodel="far")
    home = session.default_branch
    first = start(stage, server, tmp_path)
    home.send(branch, "message", "Work.")
    wait_until(lambda: lines(tmp_path / "hang"))
    first.kill()
    (tmp_path / "go").touch()
    start(stage, server, tmp_path)
    session.wait_idle()
    home.receive_all()
    assert [message.text for message in home.messages] == ["Done."]
    assert len(server.requests) == 3
    assert [len(lines(tmp_path / f"note {text}")) for text in ("one", "two")] == [1, 1]
    twice = lines(tmp_path / "hang")
    assert len(twice) == 2
    assert twice[0] == twice[1] != "None"
    assert len({*twice, *lines(tmp_path / "note one"), *lines(tmp_path / "note two")}) == 3
    assert session.counters()["redelivered"] == 1
    assert session.dead_letters == []
    # The trace shows a hole where the first worker was, and in the second attempt what is left of it.
    sent = run(session.exchange, lanes_steps(session.id)).passages[0].mail
    spans = session.trace(sent).spans
    lost, done = (span for span in spans if span.kind == "work")
    assert (lost.error, lost.fields["calls"], done.error) == ("WorkerLost", "unknown", "")
    calls = [(span.name, span.fields.get("reused", False)) for span in spans if span.kind in ("model", "tool")]
    assert [name for name, reused in calls if reused] == ["openai/any", "note", "note", "openai/any"]
    assert [name for name, reused in calls if not reused] == ["hang", "openai/any"]
    assert main(["session", "trace", session.id, sent]) == Code.OK
    text = capsys.readouterr().out
    assert text.count("what it has called is unknown, but for what the next attempt has reused") == 1
    assert text.count("was answered before, in an attempt that was lost") == 4


def test_a_failed_attempt_asks_anew(session: Session, stage: Stage, server: FakeModelServer, tmp_path: Path) -> None:
    """An answer that led to a failure is not kept for the next attempt."""
    server.says("bad", "good")
    branch = session.new_branch(name="ada", pool="p", behaviour="moody", imodel="far")
    home = session.default_branch
    start(stage, server, tmp_path)
    home.send(branch, "message", "Well?")
    session.wait_idle()
    home.receive_all()
    assert [message.text for message in home.messages] == ["good"]
    assert len(server.requests) == 2


def test_what_must_not_be_done_twice(session: Session, stage: Stage, server: FakeModelServer, tmp_path: Path) -> None:
    """A cut call of a tool marked `once` becomes a dead letter for a person; the branch goes on with other mail."""
    server.calls_tool("pay").says("Hello.")
    branch = session.new_branch(name="ada", pool="p", behaviour="think", tools=["pay"], imodel="far")
    home = session.default_branch
    first = start(stage, server, tmp_path)
    home.send(branch, "message", "Pay the bill.")
    wait_until(lambda: lines(tmp_path / "pay"))
    first.kill()
    home.send(branch, "message", "Say hello.")
    start(stage, server, tmp_path)
    session.wait_idle()
    home.receive_all()
    assert [message.text for message in home.messages] == ["Hello."]
    (letter,) = session.dead_letters
    assert letter.reason == "unknown_outcome"
    assert "pay" in letter.detail
    assert len(lines(tmp_path / "pay")) == 1


@pytest.mark.anyio
async def test_whoever_asked_learns_of_it(stage: Stage, server: FakeModelServer, tmp_path: Path) -> None:
    """An operation whose outcome nobody knows raises that at the caller, and is kept as a dead letter as well."""
    import anyio

    from lion_broker.testing import await_until

    server.calls_tool("pay")
    raised: list[BaseException] = []
    async with Session(exchange=stage.exchange, timeout=100) as session:
        branch = await session.anew_branch(name="ada", pool="p", tools=["pay"], imodel="far")
        first = start(stage, server, tmp_path)

        async def ask() -> None:
            with pytest.raises(UnknownOutcome) as caught:
                await branch.operate("Pay the bill.", actions=True)
            raised.append(caught.value)

        async with anyio.create_task_group() as group:
            group.start_soon(ask)
            await await_until(lambda: lines(tmp_path / "pay"))
            first.kill()
            start(stage, server, tmp_path)
        assert "once" in str(raised[0])
        assert "On the worker" in raised[0].__notes__[0]
        assert [letter.reason for letter in session.dead_letters] == ["unknown_outcome"]
    assert len(server.requests) == 1
