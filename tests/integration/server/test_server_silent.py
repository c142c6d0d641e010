"""A server that takes connections and says nothing: a call costs its patience and little more, however it is made."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import Iterator

import pytest

from lion_broker import BrokerUnavailable
from lion_broker.broker import patience as module
from lion_broker.broker.exchange import RedisExchange
from lion_broker.broker.server.state import read_record
from lion_broker.mail.verbs import AwaitReply, ListSessions
from tests.conformance.servers import SECRET
from tests.stage import Stage, short_folder

PATIENCE, SLACK = 0.4, 0.2
MOST = 2 * (PATIENCE + SLACK)
"""More than a call may cost, and less than two attempts that are silent to the end, with what a busy machine adds."""


@pytest.fixture(autouse=True)
def small_slack(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests need not wait for longer than it takes."""
    monkeypatch.setattr(module, "SLACK", SLACK)


@pytest.fixture
def silent() -> Iterator[RedisExchange]:
    """An exchange at a socket behind which nobody speaks."""
    with short_folder() as folder, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "s"))
        listener.listen(100)
        exchange = RedisExchange(f"unix://{folder}/s", SECRET, patience=PATIENCE)
        yield exchange
        exchange.close()


def test_nobody_speaks(silent: RedisExchange) -> None:
    """In ordinary code."""
    begun = time.monotonic()
    with pytest.raises(BrokerUnavailable):
        silent.call(ListSessions())
    assert PATIENCE <= time.monotonic() - begun < MOST


@pytest.mark.anyio
async def test_nobody_speaks_to_many(silent: RedisExchange) -> None:
    """In an event loop, also for those who stood in line behind others."""
    begun = time.monotonic()
    raised = await asyncio.gather(*(silent.acall(ListSessions()) for _ in range(300)), return_exceptions=True)
    assert time.monotonic() - begun < MOST
    assert {type(error) for error in raised} == {BrokerUnavailable}
    await silent.aclose()


@pytest.mark.redis
@pytest.mark.processes
def test_the_server_is_frozen(own_stage: Stage) -> None:
    """Its connections stand and say nothing; when it runs again they are made anew."""
    exchange = own_stage.connect(patience=PATIENCE)
    patient = own_stage.connect(patience=20)
    assert exchange.call(ListSessions()) == patient.call(ListSessions()) == ()
    record = read_record(own_stage.environ["LION_BROKER_DATA_DIR"])
    assert record is not None
    os.kill(record.pid, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        with pytest.raises(BrokerUnavailable):
            exchange.call(ListSessions())
        assert time.monotonic() - begun < MOST
    finally:
        os.kill(record.pid, signal.SIGCONT)
    assert patient.call(ListSessions()) == ()


@pytest.mark.redis
def test_a_server_may_take_its_time(stage: Stage) -> None:
    """What it may hold an answer for is no silence."""
    exchange = stage.connect(patience=0)
    assert exchange.call(AwaitReply("s", "nobody", wait_ms=600)) == ()
