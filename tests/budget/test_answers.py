"""What the answers to commands leave on the server: two entries a client, and nothing when the session has ended."""

from collections.abc import Callable
from typing import Any

import pytest
from anyio import create_task_group, to_thread

from lion_broker import Instruction, Registry, RemoteBranch, Session
from lion_broker.broker.exchange import RedisExchange
from tests.conformance.servers import Server
from tests.conftest import RunningWorker

pytestmark = pytest.mark.anyio

COMMANDS = 5


def kept(server: Server) -> dict[str, int]:
    """How many replies each client's key has."""
    client: Any = server.client
    return {key.decode(): client.xlen(key) for key in client.keys("*:reply:*")}


async def edit(branch: RemoteBranch) -> None:
    """A command of ordinary code."""
    await to_thread.run_sync(branch.clear_messages)


async def ask(branch: RemoteBranch) -> None:
    """A question to the branch's model, from an event loop."""
    assert await branch.communicate("What is a lion?", context=["A lion is a large cat."])


@pytest.mark.parametrize("command", [edit, ask])
@pytest.mark.parametrize("ended", [Session.close, Session.delete])
async def test_answers_go_when_they_were_read(
    server: Server,
    exchange: RedisExchange,
    running_worker: RunningWorker,
    command: Callable[[RemoteBranch], Any],
    ended: Callable[[Session], None],
) -> None:
    """However many commands there were, the last answers are all that stays, until the session is closed or deleted."""
    session = Session(exchange=exchange, delivery="auto")
    branch = await session.anew_branch(pool="p", imodel="offline/extractive")
    async with running_worker(Registry(), exchange, pool="p"):
        for _ in range(COMMANDS):
            await command(branch)
        # The last one that was read goes with the next question.
        assert list(kept(server).values()) == [2]
    await to_thread.run_sync(ended, session)
    assert kept(server) == {}


async def test_side_by_side_each_has_a_client(
    server: Server, exchange: RedisExchange, running_worker: RunningWorker
) -> None:
    """Threads that ask at the same time hear their own answers, and leave no more behind than there were threads."""
    heard: dict[int, list[int]] = {}
    async with Session(exchange=exchange, delivery="auto") as session:

        async def replace(number: int) -> None:
            branch = await session.anew_branch(pool="p")
            await branch.aextend([Instruction(content={"instruction": "lion"}) for _ in range(number)])
            words = [("lion", "cat"), ("cat", "lion")] * COMMANDS
            heard[number] = [await to_thread.run_sync(branch.replace_keyword, *pair) for pair in words]

        async with running_worker(Registry(), exchange, pool="p"), create_task_group() as group:
            for number in range(1, 5):
                group.start_soon(replace, number)
        assert 1 <= len(kept(server)) <= 4
    assert heard == {number: [number] * 2 * COMMANDS for number in range(1, 5)}


async def test_the_answer_to_another_command_is_passed_over(
    server: Server, exchange: RedisExchange, running_worker: RunningWorker
) -> None:
    """A command that somebody gave up may be answered late, to a client that waits for the next one."""
    async with Session(exchange=exchange, delivery="auto") as session:
        branch = await session.anew_branch(pool="p", name="ada")
        async with running_worker(Registry(), exchange, pool="p"):
            await to_thread.run_sync(branch.clear_messages)
            (key,) = kept(server)
            client: Any = server.client
            client.xadd(key, {"mail": "given-up", "d": b'{"ok": false}'})
            await to_thread.run_sync(branch.clear_messages)
            assert list(kept(server)) == [key]
