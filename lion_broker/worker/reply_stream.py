"""Hands a streamed answer on to the client that waits for it, while the turn goes on."""

from __future__ import annotations

import math
import time
from types import TracebackType
from typing import Final, Self

import anyio
from anyio.abc import TaskGroup
from pydantic_core import to_json

from lion_broker.branch.host import Host
from lion_broker.core.portable import readable
from lion_broker.mail.verbs import Say
from lion_broker.mail.wire import WireMail

__all__ = ["ReplyStream"]


_PIECE: Final = 2000
"""Characters that are said at once; with what was not told yet, at most twice as many are told."""
_SECONDS_BETWEEN: Final = 0.25


class ReplyStream:
    """Says pieces of text to whoever sent a command; pieces that come while one is on its way are said together.

    Each part tells its place in the answer, in characters, so that a client which hears a turn twice can tell what it
    has heard. Leaving the block waits until everything is said; when the token is no longer the branch's, nothing is.
    Whoever watches the session hears it too, a few times a second.
    """

    def __init__(self, host: Host, wire: WireMail) -> None:
        self._host = host
        self._client = wire.header.reply_to
        self._command = wire.id
        self._text = ""
        self._said = 0
        self._untold = ""
        self._told = 0
        self._told_at = -math.inf
        self._more = anyio.Event()
        self._ended = False
        self._tasks: TaskGroup | None = None

    def say(self, piece: str) -> None:
        """Say a piece of text, without waiting for it to arrive."""
        self._text += readable(piece)
        self._more.set()

    async def __aenter__(self) -> Self:
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._tasks.start_soon(self._speak)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> bool | None:
        self._ended = True
        self._more.set()
        assert self._tasks is not None  # noqa: S101  it was entered
        if error is None or isinstance(error, Exception):
            # What was heard before an error is said before it; the error itself is none of the group's.
            await self._tasks.__aexit__(None, None, None)
            return None
        self._tasks.cancel_scope.cancel()
        return await self._tasks.__aexit__(kind, error, tb)

    async def _speak(self) -> None:
        while not self._ended or self._text:
            await self._more.wait()
            self._more = anyio.Event()
            while self._text:
                text, self._text = self._text[:_PIECE], self._text[_PIECE:]
                await self._say(text)
        if self._untold:
            await self._say("")

    async def _say(self, text: str) -> None:
        if self._client:
            station = self._host.station()
            body = to_json({"at": self._said, "text": text})
            at, told = self._told, self._to_tell(text)
            verb = Say(station.session, station.branch, station.token, self._client, self._command, body, told, at)
            await self._host.context.exchange.acall(verb)
        self._said += len(text)

    def _to_tell(self, text: str) -> str:
        """What watchers are told with this part, if it is time: their tail holds all that happens in the session."""
        self._untold += text
        now = time.monotonic()
        if text and now - self._told_at < _SECONDS_BETWEEN and len(self._untold) < _PIECE:
            return ""
        told, self._untold = self._untold, ""
        self._told, self._told_at = self._told + len(told), now
        return told
