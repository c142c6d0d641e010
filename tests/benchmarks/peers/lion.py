"""lion-broker itself, by its public interface and in the two processes that a user would start."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec

from lion_broker import Branch, Mail, Registry, Session, Worker
from lion_broker.worker import collector

from .program import TEXT, Program, main

BRANCHES = 100


class Lion(Program):
    """A session with automatic delivery and 100 branches on one worker; for the relay 50 of them answer the others."""

    packages = "lion-broker redis hiredis uvloop"
    uvloop = find_spec("uvloop") is not None
    settings = "automatic delivery, 100 branches, each mail signed and applied to a durable log, a worker's defaults"

    async def open(self, role: str) -> None:
        if role == "client":
            self.session = Session(delivery="auto")
            self.sender = self.session.default_branch
            behaviour = "handle" if self.work == "handle" else None
            plain = [await self._branch(behaviour) for _ in range(BRANCHES // 2)]
            if self.work == "latency":
                self.recipients = [await self._branch("stamp")]
            elif self.relay:
                self.recipients = [await self._branch("relay", metadata={"to": one.id}) for one in plain]
            else:
                self.recipients = [*plain, *[await self._branch(behaviour) for _ in range(BRANCHES // 2)]]

    async def _branch(self, behaviour: str | None = None, **config: object) -> Branch:
        branch: Branch = await self.session.anew_branch(pool=self.queue, behaviour=behaviour, **config)
        return branch

    async def enqueue(self, first: int, items: int, bulk: bool) -> None:
        recipients = self.recipients
        if bulk:
            async with self.session.batch():
                for number in range(first, first + items):
                    self.sender.send(recipients[number % len(recipients)], "message", TEXT)
            return
        for number in range(first, first + items):
            await self.sender.asend(recipients[number % len(recipients)], "message", TEXT)

    async def check(self) -> str:
        expected = self.items * (2 if self.relay else 1)
        applied = self.session.counters()["applied"]
        return "" if applied == expected else f"{applied} of {expected} mails were applied"

    async def serve(self) -> None:
        mails = self.items * (2 if self.relay else 1)
        async with Worker(self._registry(), pool=self.queue) as worker:
            self.worker = worker
            collector.settle()  # as the command `lion-broker worker` does
            self.begin()
            running = asyncio.ensure_future(worker.run())
            while self.stamp is None and worker.state.mails < mails:  # noqa: ASYNC110  a worker tells nobody how far it is
                await asyncio.sleep(0.002)
            if self.stamp is None:
                self.finish()
            await running

    def extra(self) -> dict[str, float]:
        return {"turns": self.worker.state.turns}

    def _registry(self) -> Registry:
        registry = Registry()

        @registry.behaviour("handle")
        async def handle(branch: Branch, mail: Mail) -> None:
            pass

        @registry.behaviour("stamp", record=False)
        async def stamp(branch: Branch, mail: Mail) -> None:
            self.done(0)

        @registry.behaviour("relay", record=False)
        async def relay(branch: Branch, mail: Mail) -> None:
            await branch.asend(branch.metadata["to"], "message", TEXT)

        return registry


if __name__ == "__main__":
    main(Lion)
