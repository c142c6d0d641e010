"""The stage of the fundamentals: a real server that nobody had to start, and a session on it."""

from collections.abc import Iterator

import pytest

from lion_broker import Session
from tests.stage import Stage


@pytest.fixture(autouse=True)
def server(stage: Stage) -> Stage:
    """A namespace of its own for each test; `Session()` finds it by the environment."""
    return stage


@pytest.fixture
def session(server: Stage) -> Iterator[Session]:
    """A session as it is made without a word about servers."""
    with Session() as session:
        yield session
