"""What is left, and what is found again, when something is killed or deleted."""

import json
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from lion_broker.broker.server.keeper import CRASHES
from lion_broker.broker.server.state import Answer, ProcessId, look, read_record
from tests.integration.embedded.place import USER, Place, wait_until

pytestmark = [pytest.mark.redis, pytest.mark.processes]

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")


def kill(pid: int) -> None:
    """Kill a process, and return when it is dead."""
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: ProcessId.of(pid) is None)


def next_server(place: Place, pid: int) -> int:
    """Wait until another server than `pid` runs in the place, and return its number."""

    def recorded() -> int:
        record = read_record(str(place.directory))
        return record.pid if record else pid

    wait_until(lambda: recorded() != pid)
    return recorded()


def test_a_killed_server_comes_back_while_it_has_users(place: Place) -> None:
    """The keeper starts it again on the same socket, with all that was acknowledged."""
    before = place.attach().server
    place.ask("SET", "key", "value")
    os.kill(before.pid, signal.SIGKILL)
    next_server(place, before.pid)
    assert place.ask("GET", "key") == "value"
    after = place.attach().server
    assert after.socket == before.socket
    assert place.processes() == {after.pid, place.keeper.pid}


def test_attaching_right_after_a_kill_finds_the_next_server(place: Place) -> None:
    """Whoever attaches in the middle of a restart waits for it."""
    place.attach()
    for _ in range(3):
        before = place.attach().server
        kill(before.pid)
        assert place.attach().server.pid != before.pid
        assert len(place.processes()) == 2


def test_a_killed_server_without_users_stays_away(place: Place) -> None:
    """While it only lingers there is nobody to start it again for."""
    lease = place.attach(linger=-1)
    lease.close()
    os.kill(lease.server.pid, signal.SIGKILL)
    place.wait_until_empty()
    assert not (place.directory / "server.json").exists()


def test_a_server_that_crashes_again_and_again_is_given_up(place: Place) -> None:
    """The keeper goes too, and the next who attaches starts afresh."""
    pid = place.attach().server.pid
    for crash in range(CRASHES):
        os.kill(pid, signal.SIGKILL)
        if crash < CRASHES - 1:
            pid = next_server(place, pid)
    place.wait_until_empty()
    assert place.attach().server.pid != pid


@linux
def test_a_killed_keeper_takes_its_server_along(place: Place) -> None:
    """No server is left without a keeper; the next to attach starts both again, with the data."""
    before = place.attach().server
    place.ask("SET", "key", "value")
    os.kill(place.keeper.pid, signal.SIGKILL)
    place.wait_until_empty()
    after = place.attach()
    assert after.server.socket == before.socket
    assert place.ask("GET", "key") == "value"


@linux
def test_users_of_a_killed_keeper_count_for_the_next_one(place: Place) -> None:
    """A lease keeps the server up whichever keeper watches."""
    old = place.attach()
    os.kill(place.keeper.pid, signal.SIGKILL)
    place.wait_until_empty()
    place.attach().close()
    with pytest.raises(AssertionError, match="within"):
        wait_until(lambda: not place.processes(), timeout=0.3)
    old.close()
    place.wait_until_empty()


def test_what_a_power_cut_leaves_behind_is_cleaned_up(place: Place) -> None:
    """Record, socket and lock files without processes are no obstacle."""
    before = place.attach()
    place.ask("SET", "key", "value")
    keeper = place.keeper
    os.kill(keeper.pid, signal.SIGSTOP)  # it must not tidy up
    os.kill(before.server.pid, signal.SIGKILL)
    os.kill(keeper.pid, signal.SIGKILL)
    place.wait_until_empty()
    assert before.server.socket.exists()
    assert (place.directory / "server.json").exists()
    assert place.attach().server.pid != before.server.pid
    assert place.ask("GET", "key") == "value"


def test_a_recycled_process_number_is_not_taken_for_the_server(place: Place) -> None:
    """A record whose numbers now belong to others starts a server, and leaves the others alone."""
    place.attach().close()
    record = read_record(str(place.directory))
    assert record is not None
    place.stop()
    stale = record._replace(pid=os.getpid(), keeper_pid=os.getpid())
    (place.directory / "server.json").write_text(json.dumps(stale._asdict()))
    assert place.attach().server.pid != os.getpid()


def test_a_deleted_record_does_not_hide_the_server(place: Place) -> None:
    """It is found by its socket; a second one never starts."""
    first = place.attach()
    (place.directory / "server.json").unlink()
    assert place.attach().server == first.server
    assert len(place.processes()) == 2
    assert place.stop()
    assert place.processes() == set()


def test_deleted_lock_files_do_not_start_a_second_server(place: Place) -> None:
    """The directory itself is locked as well."""
    first = place.attach()
    for name in ("server.json", "server.lock", "start.lock"):
        (place.directory / name).unlink()
    assert place.attach().server == first.server
    assert len(place.processes()) == 2


def test_a_server_without_its_socket_is_replaced(place: Place) -> None:
    """When something tidied the runtime directory, the server nobody can reach makes room for another."""
    before = place.attach()
    place.ask("SET", "key", "value")
    before.server.socket.unlink()
    after = place.attach()
    assert after.server.pid != before.server.pid
    assert place.ask("GET", "key") == "value"
    assert place.processes() == {after.server.pid, place.keeper.pid}


def test_a_deleted_directory_leaves_no_server(place: Place) -> None:
    """A server whose data are gone ends with its last user, and does not touch what came in its place."""
    old = place.attach()

    def removed() -> bool:
        shutil.rmtree(place.directory, ignore_errors=True)  # its keeper may just be making a file
        return not place.directory.exists()

    wait_until(removed)
    new = place.attach()
    assert new.server.socket != old.server.socket
    old.close()
    wait_until(lambda: place.processes() == {new.server.pid, place.keeper.pid})
    assert look(str(new.server.socket)) is Answer.READY


def test_a_starter_that_is_killed_in_the_middle_leaves_nothing(place: Place, tmp_path: Path) -> None:
    """Its server comes up, finds no user, and goes."""
    binary = place.attach().server.binary
    place.stop()
    slow = tmp_path / "slow-server"
    slow.write_text(f'#!/bin/sh\n[ "$1" = --version ] || sleep 0.4\nexec {binary} "$@"\n')
    slow.chmod(0o755)
    starter = place.program(USER, LION_BROKER_SERVER=str(slow), LION_BROKER_LINGER="0")
    place.leases.pop().close()
    wait_until(lambda: len(place.processes()) == 2)
    starter.kill()
    starter.wait()
    place.wait_until_empty()
    assert "eady to accept connections" in (place.directory / "server.log").read_text()


def test_ended_servers_leave_no_zombies(place: Place) -> None:
    """A keeper reaps its server, and is nobody's child when it ends itself."""
    pids = []
    for _ in range(2):
        lease = place.attach()
        pids += [lease.server.pid, place.keeper.pid]
        assert os.getpid() not in {parent(pid) for pid in pids}
        place.stop()
    assert [pid for pid in pids if ProcessId.of(pid)] == []


def parent(pid: int) -> int | None:
    """The parent of a process, None when it has ended."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return None
    return int(status.read_text().partition("PPid:")[2].split()[0])
