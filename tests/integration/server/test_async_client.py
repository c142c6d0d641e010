"""The line of an event loop: commands follow one another without waiting, and every caller gets its own replies."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from redis.exceptions import BusyLoadingError, RedisError

from lion_broker.broker.async_client import AsyncClient
from lion_broker.broker.pipeline import Pipeline
from lion_broker.broker.quorum import Quorum
from lion_broker.broker.requests import Command
from lion_broker.testing import await_until
from tests.stage import Stage

pytestmark = [pytest.mark.redis, pytest.mark.anyio]

SECONDS = 60.0


@pytest.fixture
async def client(stage: Stage) -> AsyncIterator[AsyncClient]:
    """A line to the stage's server."""
    client = AsyncClient(stage.server.url, SECONDS)
    yield client
    await client.aclose()


def echo(text: str) -> list[Command]:
    """Commands that answer with a text, and with its length."""
    return [("ECHO", text), ("EVAL", f"return {len(text)}", 0)]


async def test_every_caller_gets_its_own(client: AsyncClient) -> None:
    """However many ask at once, and however large what they send and get."""
    texts = [f"{number}:" + "x" * (number * 997 % 100_000) for number in range(300)]
    answers = await asyncio.gather(*(client.call(echo(text), SECONDS) for text in texts))
    assert answers == [[text.encode(), len(text)] for text in texts]


async def test_commands_are_done_in_the_order_in_which_they_were_issued(client: AsyncClient, stage: Stage) -> None:
    """Also where nobody waits for the answers before."""
    await asyncio.gather(*(client.call([("RPUSH", "order", number)], SECONDS) for number in range(100)))
    assert stage.server.client.lpop("order", 100) == [b"%d" % number for number in range(100)]


async def test_who_leaves_takes_nothing_along(client: AsyncClient) -> None:
    """Neither the replies of others nor the connection; whether it left before or after its command went out."""
    await client.call([("PING",)], SECONDS)
    for waits in (0, 1, 3):
        leaving = [asyncio.create_task(client.call(echo(f"gone {number}"), SECONDS)) for number in range(10)]
        staying = [asyncio.create_task(client.call(echo(f"here {number}"), SECONDS)) for number in range(10)]
        for _ in range(waits):
            await asyncio.sleep(0)
        for task in leaving:
            task.cancel()
        assert [answer[0] for answer in await asyncio.gather(*staying)] == [b"here %d" % n for n in range(10)]
        await asyncio.gather(*leaving, return_exceptions=True)


async def test_errors_stand_among_the_replies(client: AsyncClient) -> None:
    """One command that the server refuses says nothing of the others."""
    first, error, last = await client.call([("ECHO", "a"), ("NO SUCH",), ("ECHO", "b")], SECONDS)
    assert (first, last) == (b"a", b"b")
    assert isinstance(error, RedisError)


async def test_a_connection_that_ends_is_replaced(client: AsyncClient, stage: Stage) -> None:
    """Who waits on it is told, and the next command goes over a new one."""
    await client.call([("PING",)], SECONDS)
    blocked = asyncio.create_task(client.call([("BLPOP", "nothing", 0)], SECONDS))
    await asyncio.sleep(0)
    stage.server.client.client_kill_filter(_type="normal", skipme=True)
    with pytest.raises((RedisError, OSError)):
        await blocked
    assert await client.call([("ECHO", "again")], SECONDS) == [b"again"]


async def test_a_command_that_is_held_holds_nobody_up(client: AsyncClient, stage: Stage) -> None:
    """It has a connection of its own, which others use after it; and one that is given up is not used again."""
    held = asyncio.create_task(client.call([("BLPOP", "queue", 0)], SECONDS, held=True))
    assert await client.call([("ECHO", "meanwhile")], SECONDS) == [b"meanwhile"]
    held.cancel()
    await asyncio.gather(held, return_exceptions=True)
    # A busy server may read what comes next before it has seen that this one has hung up, and would give it the item.
    await await_until(lambda: all(one["cmd"] != "blpop" for one in stage.server.client.client_list()))
    await client.call([("RPUSH", "queue", "late")], SECONDS)
    assert await client.call([("BLPOP", "queue", 1)], SECONDS, held=True) == [[b"queue", b"late"]]


async def test_a_server_that_says_too_much_is_not_listened_to() -> None:
    """A reply that nobody asked for means that no reply can be told from another."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while command := await reader.read(65536):
            writer.write(b"+OK\r\n" * (command.count(b"*") + (b"ECHO" in command)))
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        client = AsyncClient(f"redis://{host}:{port}", SECONDS)
        first = asyncio.create_task(client.call([("ECHO", "a")], SECONDS))
        assert await first == [b"OK"]
        assert client._main is not None
        assert client._main.lost
        await client.aclose()


async def test_a_server_that_is_not_ready_has_not_answered() -> None:
    """While it reads its data back it says so instead of an answer: the caller is told, and may ask again."""

    async def load(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while command := await reader.read(65536):
            ready = b"ECHO" not in command or b"again" in command
            answer = b"+OK\r\n" if ready else b"-LOADING Redis is loading the dataset in memory\r\n"
            writer.write(answer * command.count(b"*"))
        writer.close()

    async with await asyncio.start_server(load, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        client = AsyncClient(f"redis://{host}:{port}", SECONDS)
        for held in (False, True):
            with pytest.raises(BusyLoadingError):
                await client.call([("ECHO", "a"), ("ECHO", "b")], SECONDS, held=held)
            assert await client.call([("ECHO", "again")], SECONDS, held=held) == [b"OK"]
        await client.aclose()


async def test_a_silent_server_is_given_up() -> None:
    """By all who wait, when it has said nothing for as long as one of them waits, whoever came first."""

    async def hush(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while command := await reader.read(65536):
            if b"ECHO" not in command:
                writer.write(b"+OK\r\n" * command.count(b"*"))
        writer.close()

    async with await asyncio.start_server(hush, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        client = AsyncClient(f"redis://{host}:{port}", SECONDS)
        patient, hasty = (asyncio.create_task(client.call([("ECHO", "a")], seconds)) for seconds in (3600.0, 0.2))
        for task in (hasty, patient):
            with pytest.raises(TimeoutError):
                await task
        await client.aclose()


class Primary:
    """A server that says OK to everything but WAIT; how it answers that is given."""

    def __init__(self, confirm: Callable[[], Awaitable[bytes]]) -> None:
        self._confirm = confirm
        self.waits = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Speak with one client, for as long as there is an answer."""
        while command := await reader.read(65536):
            asked = command.count(b"WAIT")
            writer.write(b"+OK\r\n" * (command.count(b"*") - asked))
            if asked:
                self.waits += asked
                if not (answer := await self._confirm()):
                    break
                writer.write(answer)
        writer.close()


async def test_a_connection_that_ends_before_replicas_have_confirmed() -> None:
    """All who share the confirmation are told, and nothing is left that nobody has looked at."""
    complaints: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context["message"]))

    async def hang_up() -> bytes:
        return b""

    async with await asyncio.start_server(Primary(hang_up).talk, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        client = AsyncClient(f"redis://{host}:{port}", SECONDS)
        writes = [client.call([("SET", "a", number)], SECONDS, quorum=Quorum(1, 1000)) for number in range(3)]
        lost = await asyncio.gather(*writes, return_exceptions=True)
        assert all(isinstance(one, (RedisError, OSError)) for one in lost)
        await client.aclose()
    del lost, client
    gc.collect()
    assert complaints == []


async def test_closing_waits_for_replicas_and_no_longer() -> None:
    """What is on its way comes back first, and then the line closes."""
    asked, confirmed = asyncio.Event(), asyncio.Event()

    async def confirm() -> bytes:
        asked.set()
        await confirmed.wait()
        return b":1\r\n"

    async with await asyncio.start_server(Primary(confirm).talk, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        client = AsyncClient(f"redis://{host}:{port}", SECONDS)
        write = asyncio.create_task(client.call([("SET", "a", 1)], SECONDS, quorum=Quorum(1, 1000)))
        await asked.wait()
        closing = asyncio.create_task(client.aclose())
        await asyncio.sleep(0)
        # Who calls meanwhile opens the line anew.
        assert await client.call([("ECHO", "a")], SECONDS) == [b"OK"]
        confirmed.set()
        async with asyncio.timeout(SECONDS):
            await closing
        assert await write == [b"OK"]
        anew = client._main
        assert anew is not None
        assert not anew.lost
        await client.aclose()
        assert anew.lost


async def test_who_has_little_time_leaves_the_others_theirs() -> None:
    """Who shares a confirmation may take as long as the most patient of all, whoever came last."""
    begun, meanwhile = asyncio.Event(), asyncio.Event()

    async def confirm() -> bytes:
        if primary.waits == 1:
            begun.set()
            await meanwhile.wait()
        else:
            # Longer than the last one has, and much shorter than the one before.
            await asyncio.sleep(1.5)
        return b":1\r\n"

    primary = Primary(confirm)
    async with await asyncio.start_server(primary.talk, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        client = AsyncClient(f"redis://{host}:{port}", SECONDS)

        async def write(seconds: float) -> list[Any]:
            return await client.call([("SET", "a", 1)], seconds, quorum=Quorum(1, int(seconds * 500)))

        first = asyncio.create_task(write(SECONDS))
        await begun.wait()
        both = [asyncio.create_task(write(seconds)) for seconds in (3600.0, 1.0)]
        await asyncio.sleep(0)
        meanwhile.set()
        assert await asyncio.gather(first, *both) == [[b"OK"]] * 3
        assert primary.waits == 2
        await client.aclose()


async def test_what_nobody_waited_for_to_open_is_closed(stage: Stage) -> None:
    """A connection that was being opened when its only caller left is not left open."""
    client = AsyncClient(stage.server.url, SECONDS)
    caller = asyncio.create_task(client.call([("PING",)], SECONDS))
    await asyncio.sleep(0)
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    await client.aclose()
    assert client._main is None


async def test_what_nobody_waited_for_to_open_fails_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has left has said why; the event loop adds no page of its own to the log."""
    opened, said = asyncio.Event(), []

    async def fail(*_: Any) -> None:
        await opened.wait()
        raise ConnectionError("gone")

    monkeypatch.setattr(Pipeline, "open", fail)
    asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(context))
    client = AsyncClient("redis://127.0.0.1:1", SECONDS)
    caller = asyncio.create_task(client.call([("PING",)], SECONDS))
    await await_until(lambda: client._opening is not None)
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    opened.set()
    await await_until(lambda: client._opening is not None and client._opening.done())
    client._opening = None
    await asyncio.sleep(0)
    gc.collect()
    assert said == []
