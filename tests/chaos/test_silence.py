"""Connections that stand and say nothing, or only half of them: noticed, without a hang and without spinning."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress

import pytest

from lion_broker import BrokerUnavailable, Session
from lion_broker.broker import backoff as module
from lion_broker.broker.exchange import RedisExchange
from lion_broker.mail.verbs import ListSessions
from lion_broker.testing import await_until, wait_until
from tests.chaos.ground import Ground
from tests.chaos.proxy import Link, Way
from tests.ledger import Ledger

pytestmark = [pytest.mark.redis, pytest.mark.processes, pytest.mark.chaos]

APP = "tests.apps.desk:registry"
PATIENCE = 0.4
WAYS = {"both ways": (Way.REQUEST, Way.ANSWER), "requests": (Way.REQUEST,), "answers": (Way.ANSWER,)}
HANG = 30.0
"""Seconds after which a call is taken to hang; it may take a fraction of it, and redis-py once hung for 58."""
MOST_ATTEMPTS = 16
"""Connections within a patience of 0.4 s: eight attempts when pauses grow from 20 ms to 1 s, each of which may find the
door closed behind it. One that spins makes hundreds."""


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> float:
    """Little patience, and little more for an answer that has been begun; a busy machine needs some."""
    monkeypatch.setattr(module, "SLACK", 1.0)
    return PATIENCE


async def answered(exchange: RedisExchange) -> bool:
    """Whether the server has answered; a busy machine may keep it for longer than there is patience."""
    with suppress(BrokerUnavailable):
        return await exchange.acall(ListSessions()) == ()
    return False


def answered_here(exchange: RedisExchange) -> bool:
    """The same in ordinary code."""
    with suppress(BrokerUnavailable):
        return exchange.call(ListSessions()) == ()
    return False


@pytest.mark.parametrize("way", WAYS)
def test_ordinary_code_in_a_black_hole(place: Ground, hasty: float, way: str) -> None:
    """A call on a connection that stood before, and one on a new one, end with an error that says so."""
    exchange = place.exchange(patience=hasty)
    wait_until(lambda: answered_here(exchange))
    before = place.proxy.accepted
    place.proxy.hold(*WAYS[way])
    for _ in range(2):
        errors: list[BaseException] = []

        def call() -> None:
            try:
                exchange.call(ListSessions())
            except BrokerUnavailable as error:
                errors.append(error)  # noqa: B023 - read after the thread has ended

        thread = threading.Thread(target=call, daemon=True)
        thread.start()
        thread.join(HANG)
        assert not thread.is_alive()
        assert len(errors) == 1
    assert place.proxy.accepted - before <= MOST_ATTEMPTS
    place.proxy.heal()
    wait_until(lambda: answered_here(exchange))


@pytest.mark.parametrize("way", WAYS)
def test_an_event_loop_in_a_black_hole(place: Ground, hasty: float, way: str) -> None:
    """A hundred calls that share a connection end together, and one after them as well."""
    exchange = place.exchange(patience=hasty)

    async def main() -> None:
        await await_until(lambda: answered(exchange))
        before = place.proxy.accepted
        place.proxy.hold(*WAYS[way])
        async with asyncio.timeout(HANG):
            calls = (exchange.acall(ListSessions()) for _ in range(100))
            raised = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(error) for error in raised} == {BrokerUnavailable}
        assert place.proxy.accepted - before <= MOST_ATTEMPTS
        place.proxy.heal()
        await await_until(lambda: answered(exchange))
        await exchange.aclose()

    asyncio.run(main())


@pytest.mark.parametrize("place", [{"patience": PATIENCE}], indirect=True)
@pytest.mark.parametrize("end", list(Way))
def test_half_of_a_connection_is_gone(place: Ground, session: Session, end: Way) -> None:
    """The server's side or the client's is closed, and the other one is not told: it costs a call, and nothing else.

    A call that has waited for an answer in vain says that the mail is kept, and the next one takes another connection.
    """
    remote = session.new_branch(name="remote", pool="p", behaviour="echo")
    home = session.default_branch
    place.worker(APP, "p").ready()
    for number in range(2):
        assert place.proxy.halve(end) > 0
        with suppress(BrokerUnavailable):
            home.send(remote, "message", f"home:{number}")
        place.wait_idle(session)
    home.receive_all()
    assert [message.instruction for message in home.messages] == [f"re home:{number}" for number in range(2)]
    ledger = Ledger.of(place.straight(), session.id)
    assert ledger.texts[remote.id] == [f"home:{number}" for number in range(2)]
    assert ledger.doubles() == ledger.gaps() == []


def reads_ready(link: Link) -> bool:
    """Whether a connection is the one on which a worker waits for work."""
    return b"XREADGROUP" in link.asked


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("place", [{"patience": PATIENCE}], indirect=True)
def test_a_worker_whose_blocking_read_died_silently(place: Ground, session: Session, way: str) -> None:
    """It notices within its patience and reads on another connection; what came meanwhile takes effect once."""
    remote = session.new_branch(name="remote", pool="p", behaviour="echo")
    home = session.default_branch
    worker = place.worker(APP, "p")
    worker.ready()
    wait_until(lambda: place.proxy.links(reads_ready))
    before = {link.number for link in place.proxy.links(reads_ready)}
    assert place.proxy.hold(*WAYS[way], which=reads_ready, new=False) == 1
    for number in range(20):
        home.send(remote, "message", f"home:{number}")
    wait_until(lambda: {link.number for link in place.proxy.links(reads_ready)} - before, HANG)
    place.wait_idle(session)
    home.receive_all()
    place.proxy.heal()
    assert [message.instruction for message in home.messages] == [f"re home:{number}" for number in range(20)]
    ledger = Ledger.of(place.straight(), session.id)
    assert ledger.texts[remote.id] == [f"home:{number}" for number in range(20)]
    assert ledger.doubles() == ledger.gaps() == []
    assert worker.alive
    place.wait_closed(session.id)


@pytest.mark.parametrize("place", [{"patience": PATIENCE}], indirect=True)
def test_workers_knock_with_pauses(place: Ground, session: Session) -> None:
    """While no server takes a connection, a worker tries a few times for each of its complaints, and then works on."""
    remote = session.new_branch(name="remote", pool="p", behaviour="echo")
    home = session.default_branch
    worker = place.worker(APP, "p")
    worker.ready()
    place.proxy.slam()
    before, said = place.proxy.accepted, worker.errors.count("No server answers")
    wait_until(lambda: worker.errors.count("No server answers") >= said + 12, HANG)
    complaints = worker.errors.count("No server answers") - said
    # Reader, sweeper, lease keeper and heartbeat knock; reader and keeper complain each time, the others at first. Each
    # may be in the middle of an attempt that ends without a complaint yet.
    assert place.proxy.accepted - before <= (2 * complaints + 4) * MOST_ATTEMPTS
    place.proxy.slam(False)
    home.send(remote, "message", "home:1")
    place.wait_idle(session)
    assert worker.alive
    assert Ledger.of(place.straight(), session.id).texts[remote.id] == ["home:1"]


def test_workers_connect_again_once(place: Ground, session: Session) -> None:
    """After all connections were cut, five workers and a session need a handful of new ones each, not hundreds."""
    remote = session.new_branch(name="remote", pool="p", behaviour="echo")
    home = session.default_branch
    workers = [place.worker(APP, "p") for _ in range(5)]
    for worker in workers:
        worker.ready()
    for number in range(10):
        before = place.proxy.accepted
        assert place.proxy.cut() > 0
        home.send(remote, "message", f"home:{number}")
        session.wait_idle()
        # Three kinds of connections a worker: blocking reads, the others of its loop, its lease keeper's.
        assert place.proxy.accepted - before <= 3 * len(workers) + 5
    ledger = Ledger.of(place.straight(), session.id)
    assert ledger.texts[remote.id] == [f"home:{number}" for number in range(10)]
    assert ledger.doubles() == ledger.gaps() == []
    assert all(worker.alive for worker in workers)


def test_a_slow_network(place: Ground, session: Session) -> None:
    """Pieces that take up to a tenth of a second each way change nothing but the time."""
    remotes = [session.new_branch(name=f"b{number}", pool="p", behaviour="echo") for number in range(5)]
    home = session.default_branch
    place.worker(APP, "p").ready()
    place.proxy.delay(0.1)
    for number in range(5):
        for remote in remotes:
            home.send(remote, "message", f"home:{number}")
    session.wait_idle()
    home.receive_all()
    assert place.proxy.injected["delayed"] == 1
    ledger = Ledger.of(place.straight(), session.id)
    for remote in remotes:
        assert ledger.texts[remote.id] == [f"home:{number}" for number in range(5)]
    assert ledger.doubles() == ledger.gaps() == []
    assert len(home.messages) == 25
