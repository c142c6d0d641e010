"""A large turn is on its way at once, though the server is at another: neither waits for the other."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lion_broker.broker.async_client import AsyncClient
from lion_broker.broker.connection import SyncClient
from tests.stage import Stage

pytestmark = pytest.mark.redis

SECONDS = 60.0
LARGE = "x" * 300_000
"""More than a Unix socket takes of itself: 212,992 bytes with what the system needs for them."""


@contextmanager
def at_another(stage: Stage) -> Iterator[None]:
    """The server reads nothing meanwhile."""
    pid = stage.server.client.info("server")["process_id"]
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.anyio
async def test_in_an_event_loop(stage: Stage) -> None:
    """Nothing is left that would be written when the loop comes by again."""
    client = AsyncClient(stage.server.url, SECONDS)
    await client.call([("PING",)], SECONDS)
    assert client._main is not None
    with at_another(stage):
        answer = asyncio.create_task(client.call([("ECHO", LARGE)], SECONDS))
        await asyncio.sleep(0)
        assert client._main._pending
        assert client._main._transport.get_write_buffer_size() == 0
    assert await answer == [LARGE.encode()]
    await client.aclose()


def test_in_ordinary_code(stage: Stage) -> None:
    """Whoever puts in piece after piece goes on with the next."""
    client = SyncClient(stage.server.url, SECONDS)
    dedicated = client.dedicated()
    with at_another(stage):
        dedicated.write([("ECHO", LARGE)])
    assert dedicated.read(1, SECONDS) == [LARGE.encode()]
    dedicated.close()
    client.close()
