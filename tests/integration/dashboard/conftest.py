"""A desk that has something to show: mail that went well, mail that failed, and words that would like to be more."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from lion_broker import Branch, Mail, Registry, Session
from lion_broker.dashboard import dashboard
from tests.conftest import RunningWorker
from tests.stage import Stage

TOKEN = "a token of the tests"
BASE = "http://127.0.0.1:8420"
HOSTILE = "<script>window.pwned = 1</script><img src=x onerror=window.pwned=1>"


@dataclass
class Scene:
    """A session whose branch `far` fails at the words in `trouble`, and the registry of its workers."""

    session: Session
    far: Any
    registry: Registry
    trouble: set[str] = field(default_factory=set)

    @property
    def id(self) -> str:
        """The session's id."""
        return str(self.session.id)


@pytest.fixture
async def scene(stage: Stage, running_worker: RunningWorker) -> AsyncIterator[Scene]:
    """Three mails have gone to `far`: one was answered, two are dead letters, and the second says something hostile."""
    registry = Registry()
    trouble = {"one", HOSTILE}

    @registry.behaviour("teller", attempts=1)
    async def tell(branch: Branch, mail: Mail) -> None:
        word = mail.package.item.instruction
        if word in trouble:
            raise ValueError(f"not {word}")
        branch.send(mail.sender, "message", f"{word}!")

    async with Session(name=f"desk {HOSTILE}", exchange=stage.exchange, delivery="auto") as session:
        far = await session.anew_branch(name="far", pool="p", behaviour="teller")
        ada = await session.anew_branch(name="ada")
        for word in ("zero", "one", HOSTILE):
            await ada.asend(far, "message", word)
        async with running_worker(registry, stage.exchange, pool="p"):
            await session.await_idle()
        yield Scene(session, far, registry, trouble)


@pytest.fixture
def app(stage: Stage) -> Starlette:
    """The dashboard of the stage, with a token."""
    return dashboard(stage.exchange, token=TOKEN)


@pytest.fixture
async def client(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    """A program that has the token."""
    async with visitor(app, Authorization=f"Bearer {TOKEN}") as client:
        yield client


def visitor(app: Starlette, address: str = "127.0.0.1", base: str = BASE, **headers: str) -> httpx.AsyncClient:
    """Somebody who asks the dashboard, without a socket in between."""
    transport = httpx.ASGITransport(app, client=(address, 50_000))
    return httpx.AsyncClient(transport=transport, base_url=base, headers=headers)
