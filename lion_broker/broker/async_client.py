"""Commands to a server from one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from typing import Any

import redis.asyncio
from redis.backoff import NoBackoff

from .connection import pool_of
from .pipeline import PendingRequest, Pipeline
from .quorum import Quorum
from .requests import Command, packed

__all__ = ["AsyncClient"]


class AsyncClient:
    """Commands to a server from one event loop.

    Commands go out as they are issued, those of the same turn of the event loop together, and nobody waits for the
    answers of others; only where replicas have to confirm, commands that come meanwhile wait for the next confirmation
    and share it. What cannot be written as bytes fails for its own caller only, before it shares anything. A command
    that the server may hold has a connection of its own. What nobody has closed is closed when the loop ends, for
    afterwards nobody could. `seconds` as for SyncClient.
    """

    def __init__(self, url: str, seconds: float) -> None:
        self._pool = pool_of(redis.asyncio.ConnectionPool, url, redis.asyncio.retry.Retry(NoBackoff(), 0), seconds)
        self._main: Pipeline | None = None
        self._opening: asyncio.Task[Pipeline] | None = None
        self._spare: list[Pipeline] = []
        self._held: set[Pipeline] = set()
        self._open: AsyncGenerator[None] | None = None

    async def call(
        self,
        commands: Sequence[Command],
        seconds: float,
        *,
        held: bool = False,
        quorum: Quorum | None = None,
        then: Iterable[Sequence[Command]] | None = None,
    ) -> list[Any]:
        """Send commands and return their replies in order; `held` says that the server may take its time.

        What is to be sent `then` is made while the server works on those before. Raises TooFewReplicas unless a
        `quorum` of replicas has what they have written.
        """
        waiting = PendingRequest(packed(commands), len(commands), seconds, quorum)
        if self._open is None:
            self._open = self._until_the_loop_ends()
            await anext(self._open)
        if held:
            return await self._call_held(waiting)
        main = self._main
        if main is None or main.lost:
            async with asyncio.timeout(seconds):
                main = await self._open_main()
        main.submit(waiting)
        return await (waiting.answered if then is None else self._follow(main, waiting, then))

    async def _follow(self, main: Pipeline, first: PendingRequest, then: Iterable[Sequence[Command]]) -> list[Any]:
        """Send more behind the first; others have their turn in between."""
        going = [first]
        try:
            for commands in then:
                # Now what was submitted is written.
                await asyncio.sleep(0)
                going.append(PendingRequest(packed(commands), len(commands), first.seconds, first.quorum))
                main.submit(going[-1])
            return [reply for replies in await asyncio.gather(*(one.answered for one in going)) for reply in replies]
        except BaseException:
            for one in going:
                one.answered.cancel()
            raise

    async def aclose(self) -> None:
        """Close the connections, after what is on its way has come back."""
        if self._open is not None:
            opened, self._open = self._open, None
            await opened.aclose()

    async def _open_main(self) -> Pipeline:
        """Open the connection that all share; who comes meanwhile waits for the same one, who leaves stops nobody."""

        async def open_it() -> Pipeline:
            self._main = await Pipeline.open(self._pool)
            return self._main

        if self._opening is None or self._opening.done():
            self._opening = asyncio.create_task(open_it())
            # When all who waited have left, the loop itself would say at length in the log why it failed.
            self._opening.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(self._opening)

    async def _call_held(self, waiting: PendingRequest) -> list[Any]:
        while self._spare and self._spare[-1].lost:
            self._spare.pop()
        if self._spare:
            pipeline = self._spare.pop()
        else:
            # A silent server may take a new connection and then leave its first words unanswered.
            async with asyncio.timeout(waiting.seconds):
                pipeline = await Pipeline.open(self._pool)
        self._held.add(pipeline)
        try:
            # From here on the pipeline itself looks whether the server is silent.
            pipeline.submit(waiting)
            replies = await waiting.answered
        except BaseException:
            # A reply that still comes must not reach the next caller.
            pipeline.abort()
            raise
        finally:
            self._held.discard(pipeline)
        self._spare.append(pipeline)
        return replies

    async def _until_the_loop_ends(self) -> AsyncGenerator[None]:
        """Stay suspended while the client is open: before a loop ends, it closes the generators that wait in it."""
        try:
            yield
        finally:
            self._open = None
            if self._opening is not None and not self._opening.done():
                await asyncio.wait([self._opening])
            # Whoever calls meanwhile opens it anew, with connections that are none of this one's business.
            main, self._main, self._opening = self._main, None, None
            others, self._spare = [*self._spare, *self._held], []
            if main is not None:
                await main.idle()
                await main.close()
            for pipeline in others:
                await pipeline.close()
