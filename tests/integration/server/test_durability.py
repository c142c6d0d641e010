"""The durability profile is read from the server: named, refused where mail would be lost, looked at again."""

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lion_broker import Registry, Session, Worker
from lion_broker.broker.exchange import RedisExchange
from lion_broker.broker.keys import Keys
from lion_broker.errors import BrokerError, ConfigError, ServerUnsafe
from lion_broker.mail.verbs import ListSessions
from lion_broker.testing import await_until, wait_until
from lion_broker.worker import worker as worker_module
from lion_broker.worker.inspector import Inspector
from tests.conformance.servers import SECRET, Server, find_bundled, find_debian, running
from tests.conftest import RunningWorker
from tests.stage import Stage

pytestmark = pytest.mark.redis

Open = Callable[..., RedisExchange]
BINARIES = [
    pytest.param(find_bundled, id="valkey"),
    pytest.param(find_debian, id="redis7", marks=pytest.mark.debian),
]


@pytest.fixture(params=BINARIES)
def binary(request: pytest.FixtureRequest) -> Path:
    """A program to run as a server."""
    found: Path = request.param()
    return found


@pytest.fixture
def opened() -> Iterator[Open]:
    """Makes exchanges at a server, closed with the test; by default with all rights."""
    with ExitStack() as exchanges:

        def opened(server: Server, user: str = "", **options: bool) -> RedisExchange:
            url = server.url.replace("://", f"://{user}:password@") if user else server.url
            return exchanges.enter_context(RedisExchange(url, SECRET, patience=0, **options))  # type: ignore[arg-type, return-value]

        yield opened


def wait_until_written(client: Any) -> None:
    """Wait until a server that has begun to keep a log has written all of it: a child of its own does that."""
    wait_until(lambda: client.info("persistence")["aof_rewrite_in_progress"] == 0)


@pytest.mark.parametrize(("sync", "profile"), [("always", "durable"), ("everysec", "dev"), ("no", "unsynced")])
def test_the_profile_is_read(
    binary: Path, opened: Open, sync: str, profile: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is not known before the first verb; then the session's repr, the log and the namespace name it."""
    with running(binary, appendfsync=sync) as server, caplog.at_level(logging.INFO):
        exchange = opened(server)
        assert exchange.profile == "unverified"
        with Session(exchange=exchange) as session:
            assert f"profile={profile})" in repr(session)
        assert f"profile {profile} (" in caplog.text
        assert server.client.hget(Keys("default").meta(), "profile") == profile.encode()
        warned = [record.message for record in caplog.records if record.levelno == logging.WARNING]
        assert len(warned) == (sync == "no")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"appendonly": "no"}, "no append-only file"),
        ({"maxmemory_policy": "allkeys-lru"}, r"throws keys away .* allkeys-lru"),
        ({"maxmemory_policy": "volatile-ttl", "appendfsync": "always"}, r"throws keys away .* volatile-ttl"),
    ],
)
def test_a_server_that_would_lose_mail(
    binary: Path, opened: Open, settings: dict[str, str], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is refused with the fix before anything is written; used all the same it is warned of."""
    with running(binary, **settings) as server:
        strict = opened(server)
        for _ in range(2):
            with pytest.raises(ServerUnsafe, match=f"{said}.* Fix: CONFIG SET .*LION_BROKER_UNSAFE_SERVER=1"):
                strict.call(ListSessions())
        assert strict.profile == "volatile"
        assert server.client.dbsize() == 0
        assert server.client.function_list() == []
        with caplog.at_level(logging.WARNING):
            assert opened(server, unsafe=True).call(ListSessions()) == ()
        assert caplog.text.count("WARNING") == 1
        server.client.config_set("appendonly", "yes")
        server.client.config_set("maxmemory-policy", "noeviction")
        assert strict.call(ListSessions()) == ()
        assert strict.profile in ("dev", "durable")
        wait_until_written(server.client)


@pytest.mark.parametrize(
    ("rights", "profile", "said"),
    [
        (["-config"], "unverified", "may not use CONFIG GET"),
        (["-info"], "dev", "may not use INFO"),
        (["-config", "-info", "-time"], "unverified", "may not use INFO"),
    ],
)
def test_a_user_who_may_not_look(
    binary: Path, opened: Open, rights: list[str], profile: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What is not known is not refused; a warning says why it is not known."""
    with running(binary) as server, caplog.at_level(logging.WARNING):
        server.client.execute_command("ACL", "SETUSER", "someone", "on", ">password", "~*", "+@all", *rights)
        exchange = opened(server, "someone")
        assert exchange.call(ListSessions()) == ()
        assert exchange.profile == profile
        assert said in caplog.text
        assert "password" not in caplog.text


def test_a_user_who_may_not_look_is_refused_all_the_same(binary: Path, opened: Open) -> None:
    """INFO tells that nothing is kept."""
    with running(binary, appendonly="no") as server:
        server.client.execute_command("ACL", "SETUSER", "someone", "on", ">password", "~*", "+@all", "-config")
        with pytest.raises(ConfigError, match="no append-only file"):
            opened(server, "someone").call(ListSessions())


def test_a_user_who_may_not_load_functions(binary: Path, opened: Open) -> None:
    """The error says so until somebody else has loaded them."""
    with running(binary) as server:
        server.client.execute_command("ACL", "SETUSER", "someone", "on", ">password", "~*", "+@all", "-function")
        poor = opened(server, "someone")
        with pytest.raises(BrokerError, match=r"this user may not load them.* \+function\|load"):
            poor.call(ListSessions())
        assert opened(server).call(ListSessions()) == poor.call(ListSessions()) == ()


@pytest.mark.anyio
async def test_it_is_looked_at_again(own_stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """What got worse is a warning, what would lose mail an error each time, what got better a line."""
    exchange, client = own_stage.exchange, own_stage.server.client
    inspector = Inspector(exchange)
    await exchange.acall(ListSessions())
    meta = Keys(exchange.namespace).meta()
    with caplog.at_level(logging.INFO):
        for setting, value, profile, level in (
            ("appendfsync", "always", "durable", "INFO"),
            ("appendfsync", "everysec", "dev", "WARNING"),
            ("appendonly", "no", "volatile", "ERROR"),
            ("appendonly", "yes", "dev", "INFO"),
        ):
            client.config_set(setting, value)
            caplog.clear()
            await inspector.inspect()
            assert exchange.profile == profile
            assert f"profile is {profile} now" in caplog.text
            assert max(caplog.records, key=lambda record: record.levelno).levelname == level
            wait_until_written(client)
        assert client.hget(meta, "profile") == b"dev"
        caplog.clear()
        await inspector.inspect()
        assert caplog.records == []
    await exchange.aclose()


@pytest.mark.anyio
async def test_a_worker_looks_again(
    own_stage: Stage,
    running_worker: RunningWorker,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """While it serves; it says what is wrong, more than once, and serves on."""
    monkeypatch.setattr(worker_module, "Inspector", partial(Inspector, seconds=0.01))
    registry = Registry()
    async with Session(exchange=own_stage.exchange, delivery="auto") as session:
        remote = await session.anew_branch(name="remote", pool="p")
        async with running_worker(registry, session.exchange, pool="p"):
            own_stage.server.client.config_set("appendonly", "no")
            await await_until(lambda: caplog.text.count("LION_BROKER_UNSAFE_SERVER=1 uses it all the same") > 1)
            await session.default_branch.asend(remote, "message", "go on")
            await session.await_idle()
        assert len(remote.messages) == 1
        assert "profile=volatile" in repr(session)


@pytest.mark.anyio
async def test_a_server_that_is_away_is_no_reason_to_stop(caplog: pytest.LogCaptureFixture) -> None:
    """It is a warning."""
    exchange = RedisExchange("redis://127.0.0.1:1", SECRET, patience=0)
    await Inspector(exchange).inspect()
    assert "could not be inspected: No server answers" in caplog.text
    await exchange.aclose()


@pytest.mark.anyio
async def test_a_worker_ends_on_a_server_that_would_lose_mail(opened: Open) -> None:
    """Before it has read anything."""
    with running(find_bundled(), appendonly="no") as server:
        exchange = opened(server)
        async with Worker(Registry(), exchange=exchange) as worker:
            with pytest.raises(ServerUnsafe):
                await worker.run()
        await exchange.aclose()


@pytest.mark.processes
def test_a_worker_process_on_such_a_server(stage: Stage) -> None:
    """It ends with one line that says what to do, and code 2; told to, it serves, and warns."""
    with running(find_bundled(), appendonly="no") as server:
        strict = stage.worker(LION_BROKER_URL=server.url, LION_BROKER_SECRET=SECRET.decode())
        assert strict.wait() == 2
        assert "Fix: CONFIG SET appendonly yes" in strict.errors.splitlines()[-1]
        assert "Traceback" not in strict.errors
        careless = stage.worker(
            LION_BROKER_URL=server.url, LION_BROKER_SECRET=SECRET.decode(), LION_BROKER_UNSAFE_SERVER="1"
        )
        ready = careless.told()
        assert (ready["event"], ready["profile"]) == ("ready", "volatile")
        assert careless.stop() == 0
        assert "profile=volatile" in careless.errors
        assert "no append-only file" in careless.errors
