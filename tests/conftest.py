"""Fixtures for the whole suite."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """The event loop that redis-py's asyncio client needs."""
    return "asyncio"
