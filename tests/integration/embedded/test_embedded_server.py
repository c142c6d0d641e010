"""The life of an embedded server: found or started, shared, and gone after its last user."""

import shutil
import stat
import sys
from pathlib import Path

import pytest

from lion_broker.broker.embedded import EmbeddedLease, attach
from lion_broker.broker.server.state import Answer, look
from lion_broker.errors import ConfigError
from tests.integration.embedded.place import Place, wait_until

pytestmark = [pytest.mark.redis, pytest.mark.processes]

proc = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
debian = pytest.mark.skipif(shutil.which("redis-server") is None, reason="needs redis-server on PATH")


@pytest.mark.parametrize("settings", [{}, pytest.param({"LION_BROKER_SERVER": "redis-server"}, marks=debian)])
def test_the_first_to_attach_starts_a_server(place: Place, settings: dict[str, str]) -> None:
    """The lease says what runs where, and the server answers on its socket."""
    lease = place.attach(settings)
    assert look(str(lease.server.socket)) is Answer.READY
    assert lease.server.directory == place.directory
    assert lease.server.socket.parent == place.runtime
    assert lease.server.binary.name == settings.get("LION_BROKER_SERVER", lease.server.binary.name)
    assert lease.server.version.split()[0] in {"Valkey", "Redis"}
    assert f"process_id:{lease.server.pid}\r" in place.ask("INFO", "server")
    assert len(place.processes()) == 2


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("port", "0"),
        ("appendonly", "yes"),
        ("appendfsync", "everysec"),
        ("save", ""),
        ("maxmemory-policy", "noeviction"),
        ("unixsocketperm", "700"),
    ],
)
def test_the_server_is_private_and_durable(place: Place, setting: str, value: str) -> None:
    """No TCP port, every write on disk within a second, nothing evicted."""
    place.attach()
    assert place.config(setting) == value


@proc
def test_the_server_listens_on_no_tcp_port(place: Place) -> None:
    """None of its sockets is in the kernel's tables of TCP."""
    process = Path(f"/proc/{place.attach().server.pid}")
    sockets = {str(entry.readlink()) for entry in (process / "fd").iterdir()}
    tables = [(process / "net" / name).read_text().splitlines()[1:] for name in ("tcp", "tcp6")]
    inodes = {f"socket:[{line.split()[9]}]" for table in tables for line in table}
    assert sockets & inodes == set()


def test_only_its_user_can_reach_what_the_server_has(place: Place) -> None:
    """Directory, socket, record, log and data are closed to others."""
    place.directory.mkdir(mode=0o755)
    server = place.attach().server
    place.ask("SET", "key", "value")
    private = [server.socket, place.directory, *place.directory.rglob("*")]
    assert len(private) > 6
    assert {oct(stat.S_IMODE(path.stat().st_mode) & 0o077) for path in private} == {"0o0"}


@proc
def test_the_server_does_not_keep_its_starters_secrets(place: Place) -> None:
    """The environment of a process that outlives its starter has no keys of it."""
    server = place.attach({"OPENAI_API_KEY": "sk-secret"}).server
    for pid in (server.pid, place.keeper.pid):
        assert "sk-secret" not in Path(f"/proc/{pid}/environ").read_text()


def test_everybody_gets_the_same_server(place: Place) -> None:
    """In this process and in another, by whatever path the directory is named."""
    first = place.attach()
    other = place.program()
    assert other.stdout is not None
    assert int(other.stdout.readline()) == first.server.pid
    link = place.directory.with_name("link")
    link.symlink_to(place.directory)
    with attach(link, environ=place.environ) as lease:
        assert lease.server == first.server


def test_twelve_processes_at_once_start_one_server(place: Place) -> None:
    """However many come at the same instant, there is one server and one keeper."""
    programs = [place.program() for _ in range(12)]
    pids = {program.stdout.readline() for program in programs if program.stdout}
    assert len(pids) == 1
    assert place.processes() == {int(pids.pop()), place.keeper.pid}
    for program in programs:
        program.communicate()
    place.wait_until_empty()


def test_data_outlives_the_server(place: Place) -> None:
    """What was written is there after the server was stopped and started again."""
    first = place.attach().server
    place.ask("SET", "key", "value")
    assert place.stop()
    assert place.processes() == set()
    assert place.attach().server.pid != first.pid
    assert place.ask("GET", "key") == "value"


def test_the_server_goes_with_its_last_user(place: Place) -> None:
    """It stays while one is left, then ends with nothing but the data behind it."""
    one, two = place.attach(), place.attach()
    one.close()
    one.close()
    server = two.server
    with pytest.raises(AssertionError, match="within"):
        wait_until(lambda: not place.processes(), timeout=0.3)
    two.close()
    place.wait_until_empty()
    assert not server.socket.exists()
    assert not (place.directory / "server.json").exists()


def test_a_forgotten_lease_ends_too(place: Place) -> None:
    """A lease that nobody refers to any longer keeps no server."""
    lease: EmbeddedLease | None = attach(place.directory, environ=place.environ, linger=0)
    assert place.processes()
    assert lease is not None
    del lease
    place.wait_until_empty()


def test_a_killed_user_is_gone(place: Place) -> None:
    """Users are counted by the kernel: kill -9 of the only one ends the server."""
    user = place.program()
    assert user.stdout is not None
    assert user.stdout.readline()
    user.kill()
    place.wait_until_empty()


def test_the_server_survives_the_death_of_its_starter(place: Place) -> None:
    """kill -9 of the process that started it is not noticed by the others."""
    starter = place.program()
    assert starter.stdout is not None
    pid = int(starter.stdout.readline())
    lease = place.attach()
    place.ask("SET", "key", "value")
    starter.kill()
    starter.wait()
    assert lease.server.pid == pid
    assert place.ask("GET", "key") == "value"
    assert place.attach().server.pid == pid


def test_a_program_that_follows_finds_the_server_still_there(place: Place) -> None:
    """A server lingers; each use starts the time anew."""
    first = place.attach(linger=2)
    first.close()
    for _ in range(5):
        with place.attach(linger=2) as lease:
            assert lease.server == first.server
    place.wait_until_empty()


def test_of_several_wishes_the_longest_counts(place: Place) -> None:
    """One user who wants the server to stay for ever is enough; stop ends it all the same."""
    place.attach(linger=0.05).close()
    place.attach(linger=-1).close()
    place.attach(linger=0.05).close()
    with pytest.raises(AssertionError, match="within"):
        wait_until(lambda: not place.processes(), timeout=0.3)
    assert place.stop()
    assert place.processes() == set()


def test_the_time_to_linger_comes_from_the_environment(place: Place) -> None:
    """LION_BROKER_LINGER in seconds or `forever`; nonsense is refused before anything starts."""
    place.attach({"LION_BROKER_LINGER": "forever"}, linger=None).close()
    assert '"linger": null' in (place.directory / "server.json").read_text()
    assert place.stop()
    place.attach({"LION_BROKER_LINGER": "0"}, linger=None).close()
    place.wait_until_empty()
    with pytest.raises(ConfigError, match="LION_BROKER_LINGER=soon is no time"):
        place.attach({"LION_BROKER_LINGER": "soon"}, linger=None)


def test_stop_ends_a_server_that_is_in_use(place: Place) -> None:
    """It says whether there was one, and a user may attach again at once."""
    assert not place.stop()
    assert not place.directory.exists()
    lease = place.attach()
    assert place.stop()
    assert not place.stop()
    assert place.attach().server.pid != lease.server.pid


def test_a_directory_may_have_any_name(place: Place) -> None:
    """Blanks, quotes and other alphabets in the path reach the server as they are."""
    place.directory = place.directory / 'Application Support\'s "Löwe"'
    place.attach()
    place.ask("SET", "key", "value")
    place.stop()
    place.attach()
    assert place.ask("GET", "key") == "value"
    assert (place.directory / "appendonlydir").is_dir()


def test_a_lease_says_what_it_holds(place: Place) -> None:
    """One line with the version, the directory and the process, or that it is closed."""
    lease = place.attach()
    assert repr(lease).endswith(f"in {place.directory}, pid {lease.server.pid}>")
    with lease as same:
        assert same is lease
    assert lease.closed
    assert repr(lease).endswith(", closed>")
