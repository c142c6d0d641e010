"""The exchanges under test: in process, on the embedded server, and on Debian's redis-server."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from lion_broker.mail.exchange import Exchange
from tests.conformance.road import Road
from tests.conformance.servers import SECRET, Server, find_bundled, find_debian, running

EXCHANGES = [
    "memory",
    pytest.param("valkey", marks=pytest.mark.redis),
    pytest.param("redis7", marks=[pytest.mark.redis, pytest.mark.debian]),
]


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[Server]:
    """The server that the package brings, running."""
    with running(find_bundled()) as server:
        yield server


@pytest.fixture(scope="session")
def redis7_server() -> Iterator[Server]:
    """The redis-server of the machine, running."""
    with running(find_debian()) as server:
        yield server


@pytest.fixture(params=EXCHANGES)
def exchange(request: pytest.FixtureRequest) -> Iterator[Exchange]:
    """An empty exchange; on a server, a test that leaves a key outside the key table fails."""
    if request.param == "memory":
        from lion_broker.mail.memory import MemoryExchange

        with MemoryExchange() as exchange:
            yield exchange
        return
    from lion_broker.broker.exchange import RedisExchange

    server: Server = request.getfixturevalue(f"{request.param}_server")
    with RedisExchange(server.url, SECRET, namespace=f"ns-{uuid4().hex}") as exchange:
        yield exchange
    strays = server.strays()
    server.empty()
    assert strays == []


@pytest.fixture
def open_road(exchange: Exchange) -> Callable[..., Road]:
    """Open one more session on the exchange."""

    def opened(**options: Any) -> Road:
        return Road(exchange, **options).open()

    return opened


@pytest.fixture
def auto(exchange: Exchange) -> Road:
    """A session with automatic delivery."""
    return Road(exchange, "auto").open()


@pytest.fixture
def manual(exchange: Exchange) -> Road:
    """A session with manual delivery."""
    return Road(exchange, "manual").open()
