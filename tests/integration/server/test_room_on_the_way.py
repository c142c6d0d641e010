"""A large turn is on its way at once, though the server is at another: neither waits for the other."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lion_broker.broker.async_line import AsyncLine
from lion_broker.broker.connection import SyncLine
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
    line = AsyncLine(stage.server.url, SECONDS)
    await line.call([("PING",)], SECONDS)
    assert line._main is not None
    with at_another(stage):
        answer = asyncio.create_task(line.call([("ECHO", LARGE)], SECONDS))
        await asyncio.sleep(0)
        assert line._main._pending
        assert line._main._transport.get_write_buffer_size() == 0
    assert await answer == [LARGE.encode()]
    await line.aclose()


def test_in_ordinary_code(stage: Stage) -> None:
    """Whoever puts in piece after piece goes on with the next."""
    line = SyncLine(stage.server.url, SECONDS)
    lane = line.lane()
    with at_another(stage):
        lane.write([("ECHO", LARGE)])
    assert lane.read(1, SECONDS) == [LARGE.encode()]
    lane.close()
    line.close()
