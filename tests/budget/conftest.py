"""The servers whose work is counted."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from lion_broker.broker.exchange import RedisExchange
from lion_broker.telemetry import acts, counts
from tests.budget.counting import Counter
from tests.conformance.conftest import redis7_server as redis7_server
from tests.conformance.conftest import valkey_server as valkey_server
from tests.conformance.servers import SECRET, Server

SERVERS = [
    pytest.param("valkey", marks=pytest.mark.redis),
    pytest.param("redis7", marks=[pytest.mark.redis, pytest.mark.debian]),
]


@pytest.fixture(autouse=True)
def unwatched(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that nobody scrapes: who asked for counts in it before would have each mail counted for ever."""
    monkeypatch.setattr(counts, "_counts", None)
    monkeypatch.setattr(acts, "_watchers", ())


@pytest.fixture(autouse=True)
def leased_for_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions that renew no lease while a test counts, however long a busy machine takes over it."""
    monkeypatch.setenv("LION_BROKER_LEASE", "3600")


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server that nobody else uses."""
    found: Server = request.getfixturevalue(f"{request.param}_server")
    yield found
    found.empty()


@pytest.fixture
def exchange(server: Server) -> Iterator[RedisExchange]:
    """A namespace of its own on it, open."""
    exchange = RedisExchange(server.url, SECRET, namespace=f"ns-{uuid4().hex}")
    with exchange:
        exchange.call_all(())
        yield exchange


@pytest.fixture
def counter(server: Server) -> Counter:
    """What counts on the server."""
    return Counter(server.client)
