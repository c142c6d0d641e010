"""A fake model server and models that ask it, in either dialect."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from lion_broker import iModel
from lion_broker.testing import FakeModelServer
from tests.integration.models.asking import KEY

MakeModel = Callable[..., iModel]


@pytest.fixture
def server() -> Iterator[FakeModelServer]:
    """A server that answers "ok"."""
    with FakeModelServer() as server:
        yield server


@pytest.fixture(params=["openai", "anthropic"])
def provider(request: pytest.FixtureRequest) -> str:
    """Whose dialect is spoken."""
    name: str = request.param
    return name


@pytest.fixture
async def model(server: FakeModelServer, provider: str) -> AsyncIterator[MakeModel]:
    """Make a model of the server: `model(max_retries=1)`; it is closed with the test."""
    made: list[iModel] = []

    def make(**settings: Any) -> iModel:
        url = server.url if provider == "openai" else server.root
        made.append(iModel(provider, "m", base_url=url, **{"api_key": KEY, **settings}))
        return made[-1]

    yield make
    for one in made:
        await one.aclose()
