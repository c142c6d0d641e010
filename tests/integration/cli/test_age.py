"""`session rm --older-than`: which sessions are old, and which stay all the same."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from lion_broker import Session
from lion_broker.__main__ import main
from lion_broker.cli.age import seconds_of
from lion_broker.cli.exits import Code
from lion_broker.errors import ConfigError
from tests.stage import Stage

Told = Callable[..., Any]


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Told:
    """Runs `session rm` with `--json` and returns what it printed."""

    def run(*words: str) -> Any:
        assert main(["session", "rm", *words, "--json"]) == Code.OK
        return json.loads(capsys.readouterr().out)

    return run


def aged(stage: Stage, session: Session, days: int) -> None:
    """Make a session look as if nothing had happened in it for some days."""
    client, key = stage.server.client, stage.exchange._opened.keys.session(session.id)  # type: ignore[union-attr]
    seconds, _ = client.time()
    then = int(seconds) - days * 86_400
    client.delete(f"{key}:events")
    client.xadd(f"{key}:events", {"k": "turn"}, id=f"{then * 1000}-1")
    client.hset(key, "f:created_at", str(float(then)))


@pytest.mark.redis
def test_the_old_go_and_the_young_stay(stage: Stage, told: Told) -> None:
    """By the last thing that happened, not by when it began; a dry run only says which."""
    old, young = Session(exchange=stage.exchange), Session(exchange=stage.exchange)
    for one in (old, young):
        one.close()
    aged(stage, old, 31)
    assert told("--older-than", "30d", "--dry-run") == {"would": [old.id]}
    assert told("--older-than", "32d") == {"removed": []}
    assert told("--older-than", "30d") == {"removed": [old.id]}
    assert told("--older-than", "1d") == {"removed": []}
    assert told(young.id) == {"removed": [young.id]}
    assert stage.server.strays() == []


@pytest.mark.redis
def test_what_is_needed_stays(stage: Stage, told: Told) -> None:
    """A process that holds a branch keeps its session; so does mail that waits, unless it is given up."""
    with Session(exchange=stage.exchange, delivery="auto") as held:
        aged(stage, held, 31)
        assert told("--older-than", "30d", "--with-mail") == {"removed": []}
        held.new_branch(name="later", pool="nobody")
        held.default_branch.send(held.branches["later"], "message", "wait for me")
        held.flush()
    aged(stage, held, 31)
    assert told("--older-than", "30d") == {"removed": []}
    assert told("--older-than", "30d", "--with-mail") == {"removed": [held.id]}


def test_ages_are_written_with_a_unit() -> None:
    """A bare number could be anything, and is refused like any other text."""
    assert [seconds_of(text) for text in ("45s", "90m", "12h", "30d", "2w")] == [45, 5400, 43_200, 2_592_000, 1_209_600]
    for text in ("", "30", "d", "-1d", "1.5d", "30 d", "9999999d", "30d 2h"):
        with pytest.raises(ConfigError, match="is no age"):
            seconds_of(text)


def test_sessions_are_named_or_chosen_by_age(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither and both are refused before anything is asked."""
    for words in (["session", "rm"], ["session", "rm", "01", "--older-than", "1d"]):
        assert main(words) == Code.USAGE
        assert "one of the two" in capsys.readouterr().err
