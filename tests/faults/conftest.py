"""Fixtures of the fault tests: a server of their own for each."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.faults.place import Site, own_site


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("LION_BROKER_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def site() -> Iterator[Site]:
    """A namespace on a server of the test's own that has every write on disk before it answers."""
    with own_site() as site:
        yield site
