"""Directories whose names mean something else in a URL, in a shell or in the server's configuration."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lion_broker.broker.connect import connect
from lion_broker.broker.embedded import stop
from lion_broker.config import Settings
from lion_broker.errors import ConfigError
from lion_broker.mail.verbs import ListSessions
from tests.stage import short_folder

pytestmark = [pytest.mark.redis, pytest.mark.processes]

NAMES = ["a b", "100%", "%41", "what?", "a#b", "a@b", "größe 日本", "it's", 'a"b', "a\\x41"]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short name."""
    with short_folder() as folder:
        yield folder


def environ(data: Path, runtime: Path) -> dict[str, str]:
    """What leads a process to a server there."""
    places = {"LION_BROKER_DATA_DIR": str(data), "LION_BROKER_RUNTIME_DIR": str(runtime)}
    return {"PATH": os.environ["PATH"], "LION_BROKER_LINGER": "0.1", **places}


@pytest.mark.parametrize("name", NAMES)
def test_a_server_is_reached_wherever_it_is(folder: Path, name: str) -> None:
    """Data and socket lie in a directory of that name; the URL that is shown leads there again."""
    here = environ(folder / name / "d", folder / name)
    with connect(settings=Settings.load(here, patience=0)) as exchange:
        assert exchange.call(ListSessions()) == ()
        with connect(exchange.url, Settings.load(here, patience=0)) as again:
            assert again.call(ListSessions()) == ()
    stop(folder / name / "d", environ=here)


@pytest.mark.parametrize("name", ["new\nline", os.fsdecode(b"\xff")])
def test_a_place_that_no_message_could_show_is_refused(folder: Path, name: str) -> None:
    """The error says which setting to change, and nothing is started."""
    with pytest.raises(ConfigError, match="LION_BROKER_RUNTIME_DIR"):
        connect(settings=Settings.load(environ(folder / "d", folder / name)))
    assert not (folder / name).exists()
