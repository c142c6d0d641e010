"""A fresh place for each test."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.embedded.place import Place


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A fresh place; pytest's directories are too long for sockets."""
    runtime = Path(tempfile.mkdtemp(prefix="lion-", dir="/tmp"))
    environ = {"PATH": os.environ["PATH"], "LION_BROKER_RUNTIME_DIR": str(runtime)}
    if "LION_BROKER_SERVER" in os.environ:
        environ["LION_BROKER_SERVER"] = os.environ["LION_BROKER_SERVER"]
    place = Place(tmp_path / "data", runtime, environ)
    try:
        yield place
        place.close()
    finally:
        shutil.rmtree(runtime)
