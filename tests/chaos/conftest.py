"""Fixtures of the chaos tests: one mortal server for all, a namespace behind a proxy for each."""

from collections.abc import Iterator

import pytest

from lion_broker import Session
from tests.chaos.ground import Ground, ground
from tests.chaos.mortal import MortalServer


@pytest.fixture(scope="session")
def mortal() -> Iterator[MortalServer]:
    """A server over TCP, running."""
    with MortalServer() as server:
        yield server


@pytest.fixture
def place(mortal: MortalServer, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    """A ground, which this process finds by its environment; the parameter has further options."""
    with ground(mortal, **getattr(request, "param", {})) as made:
        for name, value in made.environ.items():
            monkeypatch.setenv(name, value)
        yield made


@pytest.fixture
def session(place: Ground) -> Iterator[Session]:
    """A session with automatic delivery, through the proxy."""
    with Session(exchange=place.exchange(), delivery="auto", timeout=100) as session:
        yield session
        place.proxy.heal()
