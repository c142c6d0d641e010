"""pytest plugin: fixtures for programs with sessions, branches and models. Nothing starts unless a test asks for it.

`pip install lion-broker` brings it; pytest loads it by its entry point.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from lion_broker.mail.exchange import Exchange
    from lion_broker.session.session import Session
    from lion_broker.testing.model_server import FakeModelServer
    from lion_broker.testing.server import PrivateServer
    from lion_broker.testing.worker import WorkerProcess

__all__ = ["fake_model", "lion_exchange", "lion_server", "lion_session", "lion_worker"]


@pytest.fixture(scope="session")
def lion_server() -> Iterator[PrivateServer]:
    """A real server for all tests, in a temporary directory, that no other program finds."""
    from lion_broker.testing.server import private_server

    with private_server() as server:
        yield server


@pytest.fixture
def lion_exchange(lion_server: PrivateServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Exchange]:
    """An exchange in a namespace of the test's own.

    During the test the environment names it, so `Session()` in the tested program and worker processes find it too.
    """
    from lion_broker.config import PREFIX, Settings

    def settings(environ: Mapping[str, str]) -> list[str]:
        return [name for name in environ if name.startswith(PREFIX)]

    environ = lion_server.surroundings()
    for name in settings(Settings.load().environ):
        monkeypatch.delenv(name)
    for name in settings(environ):
        monkeypatch.setenv(name, environ[name])
    with lion_server.connect(environ) as exchange:
        yield exchange


@pytest.fixture
def lion_session(request: pytest.FixtureRequest, lion_exchange: Exchange) -> Iterator[Session]:
    """A session on `lion_exchange`.

    Its arguments come by indirect parametrization: `@pytest.mark.parametrize("lion_session", [{"delivery": "auto"}],
    indirect=True)`.
    """
    from lion_broker.session.session import Session

    with Session(exchange=lion_exchange, **getattr(request, "param", {})) as session:
        yield session


@pytest.fixture
def lion_worker(lion_exchange: Exchange) -> Iterator[Callable[..., WorkerProcess]]:
    """Start worker processes: `lion_worker("app:registry", pool="readers")` returns one that serves.

    They work in the namespace of `lion_exchange`, take the options of `WorkerProcess`, and end with the test.
    """
    from lion_broker.testing.worker import WorkerProcess

    with ExitStack() as workers:

        def start(app: str, pool: str = "default", **options: Any) -> WorkerProcess:
            worker = WorkerProcess(app, pool, **options)
            workers.callback(worker.close)
            return worker.ready()

        yield start


@pytest.fixture
def fake_model() -> Iterator[FakeModelServer]:
    """A model's HTTP server on 127.0.0.1 whose answers the test writes."""
    from lion_broker.testing.model_server import FakeModelServer

    with FakeModelServer() as server:
        yield server
