"""A session that was deleted by another program, or whose server was emptied: every command says so, and lets go."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lion_broker import ItemNotFoundError, Registry, Session
from lion_broker.mail.verbs import Collect, Receive, Send
from tests.conftest import RunningWorker
from tests.stage import Stage

pytestmark = pytest.mark.redis

GONE = r"^There is no session [0-9a-f-]{36} any more: it was deleted, or the server was emptied\.$"


def by_another_program(stage: Stage, session: Session) -> None:
    """Delete it as `lion-broker session rm` does."""
    with Session.open(session.id, exchange=stage.exchange) as other:
        other.delete()


def by_emptying_the_server(stage: Stage, session: Session) -> None:
    """Remove every key there is."""
    stage.server.empty()


WAYS: dict[str, Callable[[Stage, Session], None]] = {
    "deleted": by_another_program,
    "emptied": by_emptying_the_server,
}


@pytest.fixture(params=WAYS)
def session(request: pytest.FixtureRequest, own_stage: Stage) -> Iterator[Session]:
    """A session with manual delivery that is gone, and does not know it yet."""
    session = Session(exchange=own_stage.connect(), timeout=100)
    session.new_branch(name="local")
    session.new_branch(name="remote", pool="p")
    WAYS[request.param](own_stage, session)
    yield session
    if not session._state.closed:
        session.branches["local"].logs.log("something to store")
        with pytest.raises(ItemNotFoundError, match=GONE):
            session.close()


COMMANDS: dict[str, Callable[[Session], Any]] = {
    "collect": lambda session: session.collect(),
    "collect one": lambda session: session.collect("remote"),
    "send": lambda session: session.send(),
    "send one": lambda session: session.send("local"),
    "a round": lambda session: session.collect_send_all(),
    "a whole round": lambda session: session.collect_send_all(receive_all=True),
    "take outgoing": lambda session: session.take_outgoing(None),
    "wait": lambda session: session.wait_idle(),
    "counters": lambda session: session.counters(),
    "a new branch": lambda session: session.new_branch(),
    "a new remote branch": lambda session: session.new_branch(pool="p"),
    "split": lambda session: session.split("remote"),
    "remove": lambda session: session.remove_branch("remote"),
    "another default": lambda session: session.change_default_branch("remote"),
    "look for a branch": lambda session: session.get_branch("nobody"),
    "mail to a stranger": lambda session: session.default_branch.send("nobody", "message", "hello"),
    "mail of a remote branch": lambda session: session.branches["remote"].send("local", "message", "hello"),
    "receive": lambda session: session.branches["remote"].receive_all(),
    "an operation": lambda session: asyncio.run(session.branches["remote"].communicate("hello")),
    "where it stands": lambda session: session.branches["remote"].record,
}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_so(session: Session, command: str) -> None:
    """With the session's id and what may have happened."""
    with pytest.raises(ItemNotFoundError, match=GONE):
        COMMANDS[command](session)


def test_what_cannot_be_stored_is_not_hidden(session: Session) -> None:
    """`flush` and `close` raise as long as something waits, and `close` lets go of everything all the same."""
    local, keeper = session.branches["local"], session._state.local_branches._keeper._thread
    local.send("remote", "message", "hello")
    for _ in range(2):
        with pytest.raises(ItemNotFoundError, match=GONE):
            session.flush()
    with pytest.raises(ItemNotFoundError, match=GONE):
        session.close()
    session.close()
    assert session._state.local_branches.hosts == {}
    assert keeper is not None
    keeper.join(60)
    assert not keeper.is_alive()


def test_mail_is_not_moved_in_silence(session: Session) -> None:
    """The outbox of a branch keeps what was not taken from it."""
    local = session.branches["local"]
    local.send("remote", "message", "hello")
    with pytest.raises(ItemNotFoundError, match=GONE):
        session.collect_send_all()
    assert len(local.mailbox.outgoing()) == 1


def test_the_exchange_says_unknown(stage: Stage) -> None:
    """Moving the mail of a session that there is not is no success."""
    for verb in (Collect("nowhere"), Send("nowhere"), Receive("nowhere")):
        assert stage.exchange.call(verb).outcome == "UNKNOWN"


@pytest.mark.anyio
async def test_while_a_turn_is_going_on(stage: Stage, running_worker: RunningWorker) -> None:
    """The worker leaves the branch and serves on; whoever waits for the round is told."""
    registry, begun, end = Registry(), asyncio.Event(), asyncio.Event()

    @registry.behaviour("wait")
    async def wait(branch: Any, mail: Any) -> None:
        begun.set()
        await end.wait()

    async with running_worker(registry, stage.exchange, pool="p"):
        doomed = Session(exchange=stage.exchange, delivery="auto")
        remote = await doomed.anew_branch(pool="p", behaviour="wait")
        await doomed.default_branch.asend(remote, "message", "go")
        await begun.wait()
        waiting = asyncio.create_task(doomed.await_idle())
        by_another_program(stage, doomed)
        with pytest.raises(ItemNotFoundError, match=GONE):
            await waiting
        end.set()
        await doomed.aclose()
        async with Session(exchange=stage.exchange, delivery="auto") as session:
            remote = await session.anew_branch(pool="p", behaviour="wait")
            await session.default_branch.asend(remote, "message", "go")
            await session.await_idle()
