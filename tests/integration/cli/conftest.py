"""What tests of commands share: a session to look at, and a way to read what a command prints."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lion_broker import Session
from lion_broker.__main__ import main
from lion_broker.cli.exits import Code
from tests.stage import Stage

Told = Callable[..., Any]


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Told:
    """Runs a command with `--json`, expects an exit code, and returns what it printed."""

    def run(*words: str, code: int = Code.OK) -> Any:
        assert main([*words, "--json"]) == code
        return json.loads(capsys.readouterr().out)

    return run


@pytest.fixture
def session(stage: Stage) -> Iterator[Session]:
    """A session with automatic delivery."""
    with Session(name="mine", exchange=stage.exchange, delivery="auto") as session:
        yield session
