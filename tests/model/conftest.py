"""The sites for replays: in process, on the embedded server, and on Debian's redis-server."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from lion_broker.broker.exchange import RedisExchange
from lion_broker.broker.keys import Keys
from lion_broker.mail.memory import MemoryExchange
from tests.conformance.conftest import EXCHANGES
from tests.conformance.conftest import exchange as exchange
from tests.conformance.conftest import redis7_server as redis7_server
from tests.conformance.conftest import valkey_server as valkey_server
from tests.conformance.servers import SECRET, Server
from tests.model.sites import MemorySite, ServerSite, Site

pytest.register_assert_rewrite("tests.model.replay")


@pytest.fixture(params=EXCHANGES)
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """An empty exchange, with a view from below."""
    if request.param == "memory":
        yield MemorySite(MemoryExchange())
        return
    server: Server = request.getfixturevalue(f"{request.param}_server")
    namespace = f"ns-{uuid4().hex}"
    with RedisExchange(server.url, SECRET, namespace=namespace) as exchange:
        yield ServerSite(exchange, Keys(namespace), server.client)
    server.empty()
