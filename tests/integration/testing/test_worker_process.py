"""Worker processes that a test starts and harms."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lion_broker import Session
from lion_broker.mail.exchange import Exchange
from lion_broker.testing import PrivateServer, private_server, running_worker, wait_until

pytestmark = [pytest.mark.redis, pytest.mark.processes]

APP = "tests.apps.desk:registry"


@pytest.fixture(scope="module")
def own_server() -> Iterator[PrivateServer]:
    """A server for these tests."""
    with private_server() as server:
        yield server


@pytest.fixture
def environ(own_server: PrivateServer) -> dict[str, str]:
    """The environment of a namespace on it."""
    return own_server.surroundings()


@pytest.fixture
def own_exchange(own_server: PrivateServer, environ: dict[str, str]) -> Iterator[Exchange]:
    """An exchange in that namespace."""
    with own_server.connect(environ) as exchange:
        yield exchange


def test_a_worker_serves_until_the_end_of_the_block(own_exchange: Exchange, environ: dict[str, str]) -> None:
    """It works when the block begins, ends well with it, and says who it was."""
    with running_worker(APP, pool="p", environ=environ) as worker, Session(exchange=own_exchange) as session:
        echo = session.new_branch(name="echo", pool="p", behaviour="echo")
        session.default_branch.send(echo, "message", "hello")
        session.collect_send_all(receive_all=True)
        assert [message.text for message in echo.messages] == ["hello"]
        assert (worker.alive, bool(worker.owner)) == (True, True)
        assert str(worker.pid) in repr(worker)
    assert (worker.alive, worker.process.returncode) == (False, 0)
    worker.close()


def test_a_killed_worker_is_replaced(own_exchange: Exchange, environ: dict[str, str]) -> None:
    """What a killed worker owned, another one takes over when the lease has ended."""
    with Session(exchange=own_exchange, delivery="auto") as session:
        with running_worker(APP, lease=0.5, environ=environ) as first:
            echo = session.new_branch(name="echo", pool="default", behaviour="echo")
            session.default_branch.send(echo, "message", "one")
            session.wait_idle()
            first.kill()
            assert "ended with -9" in repr(first)
        session.default_branch.send(echo, "message", "two")
        with running_worker(APP, lease=0.5, environ=environ):
            session.wait_idle()
        assert [message.text for message in echo.messages] == ["one", "two"]


def test_a_frozen_worker_does_nothing_until_it_thaws(own_exchange: Exchange, environ: dict[str, str]) -> None:
    """Mail waits for a worker that hangs, and a frozen one can be ended."""
    with Session(exchange=own_exchange, delivery="auto") as session, running_worker(APP, environ=environ) as worker:
        echo = session.new_branch(name="echo", pool="default", behaviour="echo")
        session.wait_idle()
        worker.freeze()
        session.default_branch.send(echo, "message", "hello")
        assert session.counters()["applied"] == 0
        worker.thaw()
        wait_until(lambda: session.counters()["applied"] == 1)
        worker.freeze()


def test_a_stopped_worker_ends_well(environ: dict[str, str]) -> None:
    """SIGTERM lets it end its turns."""
    with running_worker(APP, environ=environ) as worker:
        assert worker.stop() == 0


def test_a_worker_that_does_not_start_says_why(environ: dict[str, str]) -> None:
    """The error has its log lines."""
    with (
        pytest.raises(AssertionError, match=r"(?s)not ready within .* ended with 2.*no_such_module"),
        running_worker("no_such_module:registry", environ=environ),
    ):
        pass


def test_a_private_server_is_gone_with_its_block() -> None:
    """Two blocks have two servers, whose namespaces share nothing."""
    with private_server() as first, private_server() as second:
        assert first.url != second.url
        with first.connect() as one, first.connect() as two, Session(exchange=one) as session:
            assert session.id not in [str(found) for found in _sessions(two)]
            assert session.id in _sessions(one)
    assert not first.directory.exists()


def _sessions(exchange: Exchange) -> tuple[str, ...]:
    from lion_broker.mail.verbs import ListSessions

    return exchange.call(ListSessions())
