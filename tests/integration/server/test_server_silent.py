"""A server that takes connections and says nothing: a call costs its patience and little more, however it is made."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from lion_broker import BrokerUnavailable
from lion_broker.broker import backoff as module
from lion_broker.broker.exchange import RedisExchange
from lion_broker.broker.server.state import read_record
from lion_broker.mail.verbs import AwaitReply, ListSessions
from lion_broker.testing import wait_until
from tests.conformance.servers import SECRET
from tests.stage import Stage, short_folder

PATIENCE, SLACK = 0.4, 0.2
HANG = 30.0
"""Seconds after which a call is taken to hang; redis-py once hung for 58. How much less it takes says no clock, but the
number of attempts: each is silent for as long as there is patience, so only one of them fits in."""


@pytest.fixture
def small_slack(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test need not wait for longer than it takes."""
    monkeypatch.setattr(module, "SLACK", SLACK)


class Silence:
    """A socket behind which nobody speaks, and an exchange that uses it."""

    def __init__(self, folder: Path, listener: socket.socket) -> None:
        self._listener = listener
        listener.bind(str(folder / "s"))
        listener.listen(100)
        listener.setblocking(False)
        self.exchange = RedisExchange(f"unix://{folder}/s", SECRET, patience=PATIENCE)

    def attempts(self) -> int:
        """How many connections have been made since the last time."""
        for count in range(101):
            try:
                self._listener.accept()[0].close()
            except BlockingIOError:
                return count
        raise AssertionError("more than can wait in line")


@pytest.fixture
def silence(small_slack: None) -> Iterator[Silence]:
    """An exchange at a socket behind which nobody speaks."""
    with short_folder() as folder, socket.socket(socket.AF_UNIX) as listener:
        silence = Silence(folder, listener)
        yield silence
        silence.exchange.close()


def test_nobody_speaks(silence: Silence) -> None:
    """In ordinary code."""
    begun = time.monotonic()
    with pytest.raises(BrokerUnavailable):
        silence.exchange.call(ListSessions())
    assert PATIENCE <= time.monotonic() - begun < HANG
    assert silence.attempts() == 1


@pytest.mark.anyio
async def test_nobody_speaks_to_many(silence: Silence) -> None:
    """In an event loop, also for those who stood in line behind others."""
    exchange = silence.exchange
    async with asyncio.timeout(HANG):
        raised = await asyncio.gather(*(exchange.acall(ListSessions()) for _ in range(300)), return_exceptions=True)
    assert silence.attempts() == 1
    assert {type(error) for error in raised} == {BrokerUnavailable}
    await exchange.aclose()


@pytest.mark.redis
@pytest.mark.processes
def test_the_server_is_frozen(own_stage: Stage, small_slack: None) -> None:
    """Its connections stand and say nothing; when it runs again they are made anew."""
    patient, exchange = own_stage.exchange, own_stage.connect(patience=PATIENCE)
    assert patient.call(ListSessions()) == ()

    def answered() -> bool:
        """Whether a living server, which a busy machine may keep for longer than there is patience, has answered."""
        with suppress(BrokerUnavailable):
            return exchange.call(ListSessions()) == ()
        return False

    wait_until(answered)
    record = read_record(own_stage.environ["LION_BROKER_DATA_DIR"])
    assert record is not None
    client = own_stage.server.client
    connections = client.info("stats")["total_connections_received"]
    os.kill(record.pid, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        with pytest.raises(BrokerUnavailable):
            exchange.call(ListSessions())
        assert time.monotonic() - begun < HANG
    finally:
        os.kill(record.pid, signal.SIGCONT)
    assert patient.call(ListSessions()) == ()
    # Attempts that were made while the server was frozen wait for it; `patient` goes on with the connection it had.
    assert client.info("stats")["total_connections_received"] == connections


@pytest.mark.redis
def test_a_server_may_take_its_time(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it may hold an answer for is no silence, though it is longer than what a silent server has."""
    # A busy machine may hold it for some seconds more.
    monkeypatch.setattr(module, "SLACK", 5.0)
    exchange = stage.connect(patience=0)
    assert exchange.call(AwaitReply("s", "nobody", wait_ms=int(module.SLACK * 1000) + 500)) == ()
