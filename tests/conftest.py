"""Fixtures for the whole suite: one embedded server for all tests, a namespace for each."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, settings

from lion_broker.branch.registry import Registry
from lion_broker.mail.exchange import Exchange
from lion_broker.mail.memory import MemoryExchange
from lion_broker.worker.worker import Worker
from tests.stage import Home, Stage, short_folder

# Programs that a shell starts in the background do not hear Ctrl-C, and neither would those that tests start and stop.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says how busy the machine is.
settings.register_profile("suite", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")

RunningWorker = Callable[..., AbstractAsyncContextManager[Worker]]


@pytest.fixture
def anyio_backend() -> str:
    """The event loop that redis-py's asyncio client needs."""
    return "asyncio"


@pytest.fixture(scope="session")
def home() -> Iterator[Home]:
    """The data directory of the suite's own embedded server."""
    with short_folder() as folder:
        home = Home(folder)
        # Somebody must use the server all the time, or it would stop between two tests.
        with home.stage() as user:
            user.exchange.revive()
            yield home
        home.close()


@pytest.fixture
def stage(home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """A namespace of its own on the suite's server, which this process and its programs find by the environment.

    A test fails that leaves a key without an expiry outside the key table.
    """
    with home.stage() as stage:
        _surround(monkeypatch, stage.environ)
        yield stage
        for program in stage.programs:
            program.end()
        strays = stage.server.strays()
        stage.server.empty()
    assert strays == []


@pytest.fixture
def own_stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """A stage on a server of its own, for tests that harm it."""
    with short_folder() as folder:
        home = Home(folder)
        with home.stage() as stage:
            _surround(monkeypatch, stage.environ)
            yield stage
        home.close()


@pytest.fixture
def exchange(request: pytest.FixtureRequest) -> Exchange:
    """The exchange of the stage, or with the parameter "memory" one in this process."""
    if getattr(request, "param", "embedded") == "memory":
        return MemoryExchange()
    stage: Stage = request.getfixturevalue("stage")
    return stage.exchange


@pytest.fixture
def running_worker() -> RunningWorker:
    """`async with running_worker(registry, exchange, pool=…) as worker:` serves inside the block."""
    return _running_worker


@asynccontextmanager
async def _running_worker(registry: Registry, exchange: Exchange, **options: Any) -> AsyncIterator[Worker]:
    async with Worker(registry, exchange=exchange, **options) as worker, anyio.create_task_group() as group:
        group.start_soon(worker.run)
        yield worker
        worker.stop()


def _surround(monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]) -> None:
    for name in [name for name in os.environ if name.startswith("LION_BROKER_")]:
        monkeypatch.delenv(name)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
