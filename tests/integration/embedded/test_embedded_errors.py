"""Errors that say what was wrong, where, and what to do; none of them leaves a process behind."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lion_broker.broker.server.state import own, read_record, try_lock
from lion_broker.errors import ConfigError, LionError, ServerNotFound, ServerStartFailed
from tests.integration.embedded.place import Place

pytestmark = [pytest.mark.redis, pytest.mark.processes]

VERSION = '[ "$1" = --version ] && echo "Valkey server v=9.1.2 sha=0" && exit'

FULL = """\
import os, resource, sys
from pathlib import Path
from lion_broker.broker.embedded import attach
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
try:
    attach(Path(sys.argv[1]), environ=os.environ)
except Exception as error:
    print(type(error).__name__, error)
"""


def server(place: Place, text: str) -> dict[str, str]:
    """Return the setting for a server program that is a shell script."""
    path = place.runtime / "server"
    path.write_text(f"#!/bin/sh\n{VERSION}\n{text}\n")
    path.chmod(0o755)
    return {"LION_BROKER_SERVER": str(path)}


def test_no_server_program(place: Place) -> None:
    """Nothing is started, and the error says how to install one."""
    with pytest.raises(ServerNotFound, match="LION_BROKER_SERVER=/missing cannot be used"):
        place.attach({"LION_BROKER_SERVER": "/missing"})
    place.wait_until_empty()


def test_a_server_that_ends_at_once(place: Place) -> None:
    """The error has its exit status and its last words."""
    with pytest.raises(ServerStartFailed, match=r"ended with status 3(.|\n)*server\.log:\n  no luck today"):
        place.attach(server(place, "echo no luck today; exit 3"))
    place.wait_until_empty()


def test_a_server_that_is_killed_at_once(place: Place) -> None:
    """A signal is named."""
    with pytest.raises(ServerStartFailed, match="was ended by SIGKILL"):
        place.attach(server(place, "kill -9 $$"))


def test_a_server_that_cannot_be_run_after_all(place: Place) -> None:
    """A program that went away after it said its version; what the system says is in the error."""
    gone = server(place, "")
    Path(gone["LION_BROKER_SERVER"]).write_text(f'#!/bin/sh\nrm "$0"\n{VERSION}\n')
    with pytest.raises(ServerStartFailed, match=r"ended with status 127(.|\n)*cannot be run: No such file"):
        place.attach(gone)


def test_a_server_that_never_answers(place: Place) -> None:
    """It is ended when the patience is over, which is not much later than asked for."""
    before = time.monotonic()
    with pytest.raises(ServerStartFailed, match=r"gave no answer within 0\.\d+ s"):
        place.attach(server(place, "exec sleep 60"), patience=0.9)
    assert time.monotonic() - before < 30
    place.wait_until_empty()


def test_a_patience_that_is_over_before_there_is_a_server(place: Place) -> None:
    """It has a moment to answer all the same: who has come so far that it can be started has waited for that."""
    with pytest.raises(ServerStartFailed, match=r"gave no answer within 0\.5 s"):
        place.attach(server(place, "exec sleep 60"), patience=0)
    place.wait_until_empty()


def test_a_damaged_log_of_data(place: Place) -> None:
    """The advice in the error, taken literally, repairs it."""
    binary = place.attach().server.binary
    for number in range(50):
        place.ask("SET", f"key{number}", "value" * 100)
    place.stop()
    (data,) = (place.directory / "appendonlydir").glob("*.incr.aof")
    text = bytearray(data.read_bytes())
    text[-2000:-1000] = b"x" * 1000
    data.write_bytes(text)
    with pytest.raises(ServerStartFailed, match=r"The stored data are damaged\. Keep a copy") as caught:
        place.attach()
    place.wait_until_empty()
    advised = "\n".join(line for line in str(caught.value).splitlines() if line.startswith(("  cd ", "  bash ")))
    assert str(binary) in advised
    subprocess.run(["sh", "-c", advised], input=b"y\n", check=True, capture_output=True)
    place.attach()
    assert place.ask("GET", "key0").startswith("value")


@pytest.mark.parametrize("pattern", ["*.base.rdb", "*.manifest"])
def test_data_that_no_tool_can_repair(place: Place, pattern: str) -> None:
    """The advice to put the data aside leads to an empty server; nothing is thrown away."""
    place.attach()
    place.stop()
    (data,) = (place.directory / "appendonlydir").glob(pattern)
    data.write_bytes(b"x" * data.stat().st_size)
    with pytest.raises(ServerStartFailed, match=r"The stored data cannot be read\. Written by a newer") as caught:
        place.attach()
    (advised,) = (line for line in str(caught.value).splitlines() if line.startswith("  mv "))
    subprocess.run(["sh", "-c", advised], check=True)
    place.attach()
    assert (place.directory / "appendonlydir.damaged" / data.name).exists()


@pytest.mark.parametrize("limit", [0, 40])
def test_a_full_disk(place: Place, limit: int) -> None:
    """Where not even the first file can be written, the error says so and where."""
    place.attach()
    place.stop()
    shutil.rmtree(place.directory / "appendonlydir")
    program = place.program(FULL.format(limit=limit))
    said, _ = program.communicate()
    assert said.startswith("ServerStartFailed")
    assert f"There is no room for the files in {place.directory}" in said
    place.wait_until_empty()


@pytest.fixture
def small_disk(place: Place) -> Iterator[Path]:
    """A disk of 64 KB with nothing free."""
    disk = place.runtime / "disk"
    disk.mkdir()
    mounted = os.getuid() == 0 and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", disk], capture_output=True
    )
    if not mounted or mounted.returncode:
        pytest.skip("no right to mount a disk")
    (disk / "ballast").write_bytes(b"x" * 16384)
    with pytest.raises(OSError, match="No space left"):
        (disk / "rest").write_bytes(bytes(1 << 17))
    yield disk
    place.close()
    subprocess.run(["umount", disk], check=True)


def test_a_full_small_disk(place: Place, small_disk: Path) -> None:
    """The same on a real file system without room; with room again it works."""
    place.directory = small_disk
    with pytest.raises(ServerStartFailed, match="no room for the files"):
        place.attach()
    place.wait_until_empty()
    (small_disk / "ballast").unlink()
    place.attach()
    place.stop()


def test_a_directory_that_is_a_file(place: Place) -> None:
    """The data directory and the directory for sockets are checked before anything starts."""
    place.directory.touch()
    with pytest.raises(ConfigError, match=r"data cannot be used as a directory.*not a directory"):
        place.attach()
    place.directory.unlink()
    (place.runtime / "file").touch()
    with pytest.raises(ConfigError, match=r"file cannot be used as a directory.*not a directory"):
        place.attach({"LION_BROKER_RUNTIME_DIR": str(place.runtime / "file")})
    place.wait_until_empty()


def test_a_socket_path_that_is_too_long(place: Place) -> None:
    """It is refused before anything starts."""
    with pytest.raises(ConfigError, match="100 are allowed"):
        place.attach({"LION_BROKER_RUNTIME_DIR": str(place.runtime / ("x" * 100))})
    place.wait_until_empty()


def test_a_socket_that_cannot_be_made(place: Place) -> None:
    """Something else where the socket belongs, or a file system that has no sockets."""
    socket = place.attach().server.socket
    place.stop()
    socket.mkdir()
    with pytest.raises(ServerStartFailed, match=f"The socket {socket} cannot be made"):
        place.attach()
    socket.rmdir()


def test_a_directory_in_use_on_another_machine(place: Place) -> None:
    """A locked directory whose server is elsewhere is left alone."""
    place.attach()
    record = (place.directory / "server.json").read_text()
    place.stop()
    held = own(str(place.directory))
    try:
        with pytest.raises(ServerStartFailed, match="a server that has left no record, out of reach"):
            place.attach(patience=0.1)
        (place.directory / "server.json").write_text(record.replace('"host": "', '"host": "other-'))
        with pytest.raises(ServerStartFailed, match=r"in use by a server on other-.*LION_BROKER_URL"):
            place.attach(patience=0.1)
    finally:
        for descriptor in held:
            os.close(descriptor)


def test_a_start_by_another_process_that_takes_too_long(place: Place) -> None:
    """Whoever waits for another starter gives up in time, and can try again later."""
    place.attach()
    place.stop()
    lock = try_lock(str(place.directory / "start.lock"))
    assert lock is not None
    with pytest.raises(ServerStartFailed, match="another process is starting or stopping it"):
        place.attach(patience=0.1)
    os.close(lock)
    place.attach()


def test_a_server_that_hangs(place: Place) -> None:
    """One that does not answer is not replaced behind its users' backs; the error says which one it is."""
    lease = place.attach()
    os.kill(lease.server.pid, signal.SIGSTOP)
    with pytest.raises(ServerStartFailed, match=rf"process {lease.server.pid}.* is silent\. End it: kill -9"):
        place.attach(patience=0.1)
    os.kill(lease.server.pid, signal.SIGCONT)
    assert place.attach().server == lease.server


def test_a_server_that_hangs_is_stopped_all_the_same(place: Place) -> None:
    """Stop gives it a while to write its data, then kills it; a keeper is ready for that from the start."""
    os.kill(place.attach().server.pid, signal.SIGSTOP)
    assert place.stop()
    place.wait_until_empty()


def test_errors_leave_no_users_behind(place: Place) -> None:
    """After a failed attempt the next server ends with its last user as ever."""
    with pytest.raises(LionError):
        place.attach(server(place, "exit 1"))
    place.attach().close()
    place.wait_until_empty()
    assert read_record(str(place.directory)) is None
