"""The server is gone for good: what many sessions of one program say about it, and how they end."""

import contextlib
import logging
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lion_broker import BrokerUnavailable, Session
from lion_broker.broker.exchange import RedisExchange
from lion_broker.broker.leases import LeaseKeeper
from lion_broker.mail.verbs import ListSessions, Station
from lion_broker.testing import wait_until
from tests.conformance.servers import SECRET
from tests.faults.place import OwnServer
from tests.stage import short_folder

pytestmark = [pytest.mark.redis]

SESSIONS = 20


@contextlib.contextmanager
def own_server() -> Iterator[OwnServer]:
    """A running server; it has ended at the end."""
    with short_folder() as folder:
        server = OwnServer(folder)
        server.start()
        try:
            yield server
        finally:
            server.kill()


@contextlib.contextmanager
def shut_door(place: Path) -> Iterator[list[int]]:
    """Take a server's place and close every connection at once; yields the list of those who came."""
    place.unlink(missing_ok=True)
    came: list[int] = []
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(place))
        listening.listen(64)

        def refuse() -> None:
            with contextlib.suppress(OSError):
                while True:
                    one, _ = listening.accept()
                    came.append(1)  # before whoever came can know
                    one.close()

        thread = threading.Thread(target=refuse, daemon=True)
        thread.start()
        yield came
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize("shared", [True, False], ids=["one exchange", "an exchange each"])
def test_many_sessions_end_with_the_patience_of_one(shared: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first to be closed waits for the server; the others believe it, say so, and do not ask again."""
    monkeypatch.setenv("LION_BROKER_LEASE", "600")
    with own_server() as server:
        exchanges = [RedisExchange(server.url, SECRET, patience=3.0) for _ in range(1 if shared else SESSIONS)]
        sessions = [Session(exchange=exchanges[number % len(exchanges)]) for number in range(SESSIONS)]
        for session in sessions:
            session.new_branch(name="ada").logs.log("not stored yet")
        server.kill()
        with shut_door(server.socket) as came:
            with pytest.raises(BrokerUnavailable, match="No server answers"):
                sessions[0].close()
            asked = len(came)
            assert asked > 1
            for session in sessions[1:]:
                with pytest.raises(BrokerUnavailable, match="No server answers"):
                    session.close()
            assert len(came) == asked
            # Whoever does not leave asks with the usual patience.
            with pytest.raises(BrokerUnavailable):
                exchanges[0].call(ListSessions())
            assert len(came) > asked
        for exchange in exchanges:
            exchange.close()


def test_a_server_that_is_back_is_not_taken_for_gone(caplog: pytest.LogCaptureFixture) -> None:
    """One answer, to whoever it is, and everybody who leaves asks again; the log says so, once."""
    with caplog.at_level(logging.INFO, "lion_broker"), own_server() as server:
        first, second = (RedisExchange(server.url, SECRET, patience=0.3) for _ in range(2))
        with first, second:
            session = Session(exchange=first, name="kept")
            session.new_branch(name="ada")
            server.kill()
            with pytest.raises(BrokerUnavailable):
                first.call(ListSessions())
            server.start()
            assert second.call(ListSessions()) == (session.id,)
            session.get_branch("ada").logs.log("stored")
            session.close()
            with Session.open(session.id, exchange=second) as again:
                assert [one.content for one in again.get_branch("ada").logs] == [{"text": "stored"}]
        back = [one.getMessage() for one in caplog.records if "answers again" in one.getMessage()]
        assert len(back) == 1
        assert back[0].startswith(f"the server at unix://{server.socket} answers again, after ")


def test_renewals_that_fail_are_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    """One line a minute with the number of branches, however many sessions renew their leases however often."""
    with short_folder() as folder, shut_door(folder / "s") as came:
        exchange = RedisExchange(f"unix://{folder / 's'}", None, patience=0.0)
        keepers = [LeaseKeeper(exchange, 9_000) for _ in range(SESSIONS)]
        with caplog.at_level(logging.WARNING, "lion_broker"):
            for number, keeper in enumerate(keepers):
                keeper.add(Station("session", f"branch-{number}", f"token-{number}"))
            wait_until(lambda: len(came) >= 2 * SESSIONS, 60)
        for keeper in keepers:
            keeper.close()
        (told,) = [record.getMessage() for record in caplog.records if "could not be renewed" in record.getMessage()]
        assert told.startswith(f"leases of {SESSIONS} branches could not be renewed: No server answers at unix://")
        exchange.close()
