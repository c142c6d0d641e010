"""Processes, records and locks of the embedded server, each on its own."""

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lion_broker.broker.server import state
from lion_broker.broker.server.state import (
    Answer,
    ProcessId,
    Record,
    look,
    own,
    read_record,
    try_lock,
    write_record,
)
from tests.integration.embedded.place import wait_until

RECORD = Record("host", "/run/x.sock", 41, "1234", 40, "1230", "/bin/valkey-server", "Valkey 9.1.2", 3.0)


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A process that lives until the test has looked at it."""
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def test_a_living_process_is_known_by_its_start(child: subprocess.Popen[bytes]) -> None:
    """The same number with another start is another process."""
    process = ProcessId.of(child.pid)
    assert process is not None
    assert process.alive
    assert not process._replace(started="1").alive


def test_a_zombie_is_not_alive(child: subprocess.Popen[bytes]) -> None:
    """A process that has ended counts as gone before its parent has noticed."""
    process = ProcessId.of(child.pid)
    assert process is not None
    child.kill()
    wait_until(lambda: not process.alive)
    assert ProcessId.of(child.pid) is None
    os.kill(child.pid, 0)  # it still has its number


@pytest.mark.skipif(shutil.which("ps") is None, reason="needs ps")
def test_processes_are_known_without_proc_too(child: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no /proc, as on macOS, ps tells the same."""
    monkeypatch.setattr(state, "_proc_started", state._ps_started)
    process = ProcessId.of(child.pid)
    assert process is not None
    assert process.alive
    child.kill()
    wait_until(lambda: ProcessId.of(child.pid) is None)


def test_a_record_comes_back_as_it_was_written(tmp_path: Path) -> None:
    """Written in one step, readable only by its owner, with no draft left."""
    write_record(str(tmp_path), RECORD)
    write_record(str(tmp_path), RECORD._replace(linger=None))
    assert read_record(str(tmp_path)) == RECORD._replace(linger=None)
    assert [path.name for path in tmp_path.iterdir()] == ["server.json"]
    assert (tmp_path / "server.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"pid": 1}', '"x"', "\udcff"])
def test_a_broken_record_is_no_record(tmp_path: Path, text: str) -> None:
    """What cannot be read is the same as nothing."""
    (tmp_path / "server.json").write_bytes(text.encode(errors="surrogateescape"))
    assert read_record(str(tmp_path)) is None


def test_the_ownership_is_one_holders(tmp_path: Path) -> None:
    """It is refused while somebody has it, and whole again afterwards."""
    held = own(str(tmp_path))
    assert len(held) == 2
    assert own(str(tmp_path)) == []
    for descriptor in held:
        os.close(descriptor)
    again = own(str(tmp_path))
    assert len(again) == 2
    for descriptor in again:
        os.close(descriptor)


def test_the_ownership_outlasts_its_file(tmp_path: Path) -> None:
    """Deleting server.lock does not free the directory, and a refused attempt leaves nothing locked."""
    held = own(str(tmp_path))
    (tmp_path / "server.lock").unlink()
    assert own(str(tmp_path)) == []
    assert own(str(tmp_path)) == []
    for descriptor in held:
        os.close(descriptor)


def test_users_share_a_lock(tmp_path: Path) -> None:
    """Any number of users, and no exclusive holder beside them."""
    path = str(tmp_path / "users.lock")
    users = [try_lock(path, shared=True) for _ in range(3)]
    assert None not in users
    assert try_lock(path) is None
    for user in users:
        assert user is not None
        os.close(user)
    alone = try_lock(path)
    assert alone is not None
    assert try_lock(path, shared=True) is None
    os.close(alone)


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        (b"+PONG\r\n", Answer.READY),
        (b"-LOADING the dataset is being loaded\r\n", Answer.LOADING),
        (b"-NOAUTH Authentication required.\r\n", Answer.SILENT),
        (b"", Answer.SILENT),
    ],
)
def test_a_server_is_known_by_its_answer(tmp_path: Path, reply: bytes, answer: Answer) -> None:
    """PONG is ready, LOADING comes up, anything else is no answer."""
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(100)
                connection.sendall(reply)

        thread = threading.Thread(target=serve)
        thread.start()
        assert look(path) is answer
        thread.join()
    assert look(path) is Answer.ABSENT


def test_no_socket_is_no_server(tmp_path: Path) -> None:
    """A missing file is as absent as a file where nobody listens."""
    assert look(str(tmp_path / "s")) is Answer.ABSENT
