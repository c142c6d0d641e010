"""A fake model server and a plain HTTP client of it."""

from collections.abc import Iterator

import pytest

from lion_broker.testing import FakeModelServer
from tests.integration.testing.client import Client


@pytest.fixture
def server() -> Iterator[FakeModelServer]:
    """A server that answers "ok"."""
    with FakeModelServer() as server:
        yield server


@pytest.fixture
def client(server: FakeModelServer) -> Iterator[Client]:
    """A client that keeps its connection."""
    with Client(server.root) as client:
        yield client
