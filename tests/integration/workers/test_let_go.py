"""A branch that a worker lets go of is freed at once: it has the collector look at old objects hardly ever."""

from __future__ import annotations

import gc
import weakref
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import pytest

from lion_broker import Branch, Mail, Registry, Session
from lion_broker.mail.exchange import Exchange
from lion_broker.testing import await_until
from tests.conftest import RunningWorker

pytestmark = [pytest.mark.redis, pytest.mark.anyio]


@pytest.fixture(autouse=True)
def no_collections() -> Iterator[None]:
    """Nothing is freed but what nobody holds."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
async def session(exchange: Exchange) -> AsyncIterator[Session]:
    """A session with automatic delivery."""
    async with Session(exchange=exchange, delivery="auto") as session:
        yield session


class Seen:
    """What the branches at work held when their behaviour began, none of it kept here."""

    def __init__(self) -> None:
        self._refs: list[weakref.ref[Any]] = []
        self.begun = 0

    def look_at(self, branch: Branch) -> None:
        self.begun += 1
        self._refs += [weakref.ref(branch), weakref.ref(branch.messages), weakref.ref(branch.messages[-1])]

    def all_freed(self) -> bool:
        return all(one() is None for one in self._refs)


async def test_after_a_turn_that_failed(session: Session, exchange: Exchange, running_worker: RunningWorker) -> None:
    """What the mail did to the branch object is not to be trusted, and the next attempt reads another."""
    registry, seen = Registry(), Seen()

    @registry.behaviour("fail", attempts=3, backoff=0.01)
    async def fail(branch: Branch, mail: Mail) -> None:
        seen.look_at(branch)
        raise ValueError("not today")

    branch = await session.anew_branch(pool="p", behaviour="fail")
    async with running_worker(registry, exchange, pool="p"):
        await session.default_branch.asend(branch, "message", "hello")
        await session.await_idle()
        await await_until(seen.all_freed)
    assert seen.begun == 3


async def test_after_a_turn_that_was_stopped(
    session: Session, exchange: Exchange, running_worker: RunningWorker
) -> None:
    """Its lease is lost, and what it has done by then goes nowhere."""
    registry, seen = Registry(), Seen()

    @registry.behaviour("hang")
    async def hang(branch: Branch, mail: Mail) -> None:
        seen.look_at(branch)
        await anyio.sleep_forever()

    branch = await session.anew_branch(pool="p", behaviour="hang")
    async with running_worker(registry, exchange, pool="p", lease=1):
        await session.default_branch.asend(branch, "message", "hello")
        await await_until(lambda: seen.begun)
        assert (await session.astop_mail(branch=branch)).count == 1
        await session.await_idle()
        await await_until(seen.all_freed)
    assert seen.begun == 1
