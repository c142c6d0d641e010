"""Where data and sockets go, and which directories are refused."""

import os
import stat
import sys
from pathlib import Path

import pytest

from lion_broker.broker.server.directory import (
    data_directory,
    private_directory,
    runtime_directory,
    socket_path,
)
from lion_broker.errors import ConfigError

root_only = pytest.mark.skipif(os.getuid() != 0, reason="only root can give a directory away")


def test_the_data_directory_follows_the_environment() -> None:
    """LION_BROKER_DATA_DIR wins; a home directory is expanded."""
    assert data_directory({"LION_BROKER_DATA_DIR": "/srv/lion", "HOME": "/home/ada"}) == Path("/srv/lion")
    assert data_directory({"LION_BROKER_DATA_DIR": "~/lion"}) == Path.home() / "lion"


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has a place of its own")
def test_the_data_directory_is_where_xdg_has_it() -> None:
    """XDG_DATA_HOME, else ~/.local/share; a relative XDG path is ignored, as its specification asks."""
    ada = Path("/home/ada/.local/share/lion-broker")
    assert data_directory({"XDG_DATA_HOME": "/data", "HOME": "/home/ada"}) == Path("/data/lion-broker")
    assert data_directory({"HOME": "/home/ada"}) == ada
    assert data_directory({"XDG_DATA_HOME": "data", "HOME": "/home/ada"}) == ada


def test_the_data_directory_on_macos(monkeypatch: pytest.MonkeyPatch) -> None:
    """macOS keeps a user's data in Application Support."""
    monkeypatch.setattr("sys.platform", "darwin")
    expected = Path("/Users/ada/Library/Application Support/lion-broker")
    assert data_directory({"HOME": "/Users/ada"}) == expected


def test_the_runtime_directory_is_short_and_ours(tmp_path: Path) -> None:
    """The own setting wins, then our XDG_RUNTIME_DIR, then a directory in /tmp with the user's number."""
    mine = Path("/", "tmp", f"lion-broker-{os.getuid()}")
    assert runtime_directory({"LION_BROKER_RUNTIME_DIR": "/run/x"}) == Path("/run/x")
    assert runtime_directory({"XDG_RUNTIME_DIR": str(tmp_path)}) == tmp_path / "lion-broker"
    assert runtime_directory({"XDG_RUNTIME_DIR": str(tmp_path / "missing")}) == mine
    assert runtime_directory({}) == mine


@root_only
def test_a_runtime_directory_that_su_left_behind_is_passed_over(tmp_path: Path) -> None:
    """XDG_RUNTIME_DIR of another user is not used."""
    os.chown(tmp_path, 12345, -1)
    assert runtime_directory({"XDG_RUNTIME_DIR": str(tmp_path)}) == Path("/", "tmp", f"lion-broker-{os.getuid()}")


def test_a_directory_has_one_socket_however_it_is_written(tmp_path: Path) -> None:
    """Links and dots lead to the same socket, another directory to another one."""
    environ = {"LION_BROKER_RUNTIME_DIR": "/run/lion"}
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "one")
    socket = socket_path(tmp_path / "one", environ)
    assert socket.parent == Path("/run/lion")
    assert socket_path(tmp_path / "link", environ) == socket
    assert socket_path(tmp_path / "two" / ".." / "one", environ) == socket
    assert socket_path(tmp_path / "two", environ) != socket


def test_a_socket_path_that_is_too_long_is_refused(tmp_path: Path) -> None:
    """The error gives the length, the limit and the way out."""
    with pytest.raises(ConfigError, match=r"has 1\d\d bytes, 100 are allowed.*LION_BROKER_RUNTIME_DIR"):
        socket_path(tmp_path, {"LION_BROKER_RUNTIME_DIR": "/run/" + "x" * 90})


def test_a_private_directory_is_made_with_its_parents(tmp_path: Path) -> None:
    """A new directory is ours alone; asking again changes nothing."""
    made = private_directory(tmp_path / "a" / "b")
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    assert private_directory(made) == made


def test_an_empty_directory_of_ours_is_closed_to_others(tmp_path: Path) -> None:
    """A directory that was just made with mkdir is tightened, not refused."""
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    assert stat.S_IMODE(private_directory(tmp_path / "open").stat().st_mode) == 0o700


def test_a_used_directory_that_others_may_write_is_refused(tmp_path: Path) -> None:
    """Permissions of a directory with content are left to its owner."""
    (tmp_path / "file").touch()
    tmp_path.chmod(0o777)
    with pytest.raises(ConfigError, match=r"can be written by other users.*chmod 700"):
        private_directory(tmp_path)
    tmp_path.chmod(0o755)
    assert private_directory(tmp_path) == tmp_path


def test_what_is_no_directory_is_refused(tmp_path: Path) -> None:
    """A file, a path below a file, and a link that somebody put there."""
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path)
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ConfigError, match="it is not a directory"):
            private_directory(path)
    with pytest.raises(ConfigError, match="is a link"):
        private_directory(tmp_path / "link")


@root_only
def test_a_directory_of_another_user_is_refused(tmp_path: Path) -> None:
    """Even where the permissions would allow it."""
    os.chown(tmp_path, 12345, -1)
    with pytest.raises(ConfigError, match="belongs to user 12345, not to you"):
        private_directory(tmp_path)


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_directory_without_permission_is_refused(tmp_path: Path) -> None:
    """One that we own but cannot write, and one that cannot be made."""
    closed = tmp_path / "closed"
    closed.mkdir()
    (closed / "file").touch()
    closed.chmod(0o500)
    with pytest.raises(ConfigError, match="cannot be written"):
        private_directory(closed)
    with pytest.raises(ConfigError, match="Permission denied"):
        private_directory(closed / "new")
    closed.chmod(0o700)
