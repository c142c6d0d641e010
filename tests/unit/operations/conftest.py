"""Branches that think, of each kind: alone, in a session, on a worker in memory, on a worker over a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from lion_broker import BaseBranch, Branch, Registry, Session
from lion_broker.mail.exchange import Exchange
from lion_broker.mail.memory import MemoryExchange
from lion_broker.testing import ScriptedModel
from tests.conftest import RunningWorker

Think = Callable[..., Awaitable[BaseBranch]]

KINDS = ["alone", "local", "remote", "over a server"]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Where the branch of a test lives."""
    return str(request.param)


@pytest.fixture
def carrier(kind: str, request: pytest.FixtureRequest) -> Exchange:
    """What carries the mail of the test's session."""
    return request.getfixturevalue("stage").exchange if kind == "over a server" else MemoryExchange()


@pytest.fixture
def registry() -> Registry:
    """What the test's worker can do."""
    return Registry()


@pytest.fixture
async def session(carrier: Exchange, registry: Registry) -> AsyncIterator[Session]:
    """A session on the carrier."""
    async with Session(exchange=carrier, registry=registry, timeout=100) as session:
        yield session


@pytest.fixture
async def think(
    kind: str, carrier: Exchange, registry: Registry, session: Session, running_worker: RunningWorker
) -> AsyncIterator[Think]:
    """`await think(model, tool, …, system=…)`: a branch of the kind, with a scripted model and tools."""

    async def make(model: ScriptedModel | None = None, *tools: Any, **options: Any) -> BaseBranch:
        named = dict.fromkeys(("imodel", "tools"))
        if model is not None:
            named["imodel"] = registry.model(model.name, model.imodel)
        for tool in tools:
            registry.tool(tool)
        named["tools"] = [registry.resolve_tool(name) for name in registry.tools] or None
        given = {**{name: value for name, value in named.items() if value is not None}, **options}
        if kind == "alone":
            return Branch(**given)
        made: BaseBranch = await session.anew_branch(**given, pool=None if kind == "local" else "thinkers")
        return made

    if kind in ("alone", "local"):
        yield make
        return
    async with running_worker(registry, carrier, pool="thinkers"):
        yield make
