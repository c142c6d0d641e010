"""Asks a branch on workers to do an operation, and brings back what came of it."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any
from weakref import WeakKeyDictionary

import anyio
from pydantic_core import from_json

from lion_broker.branch.directory import session_steps
from lion_broker.branch.error_transfer import error_from_dict
from lion_broker.branch.session_context import SessionContext
from lion_broker.core.ids import IDType
from lion_broker.core.portable import to_portable
from lion_broker.errors import LionError, ModelError, RoundTimeout
from lion_broker.mail.exchange import Steps, ask
from lion_broker.mail.records import START
from lion_broker.mail.verbs import AwaitReply, Cancel, DropReplies
from lion_broker.mail.wire import Header, WireMail, encode_json
from lion_broker.telemetry.mail_spans import handed_in

from .postbox import Postbox
from .replies import Replies

__all__ = ["Commander", "Deadline"]

_LONGEST_WAIT_MS = 5000
_CANCEL_SECONDS = 5.0


class Commander:
    """Sends commands of one session and waits for their answers.

    Whoever stops waiting (a timeout, a cancelled task) cancels the command: what waits is dropped, what runs
    is stopped.
    """

    def __init__(self, context: SessionContext, postbox: Postbox) -> None:
        self._context = context
        self._postbox = postbox
        self._replies: WeakKeyDictionary[asyncio.AbstractEventLoop, Replies] = WeakKeyDictionary()
        self._at_rest: deque[tuple[IDType, str]] = deque()
        """Clients that wait for no reply, each with the last one that it has read: the next command takes one of them.

        A client of its own for each command would leave its reply on the server until that expires.
        """

    def do_steps(self, branch: IDType, operation: str, arguments: Mapping[str, Any], deadline: Deadline) -> Steps[Any]:
        """Do an operation as a program over the exchange. Raises the worker's error, RoundTimeout."""
        try:
            client, after = self._at_rest.pop()
        except IndexError:
            client, after = IDType.create(), START
        try:
            command = self._command(branch, operation, arguments, client, deadline)
            yield from self._postbox.post_steps([command])
            while (left := deadline.left_ms(_LONGEST_WAIT_MS)) > 0:
                replies = yield from ask(AwaitReply(self._context.session, client, after, wait_ms=left))
                for reply in replies:
                    after = reply.id
                    # A command that was given up may be answered all the same.
                    if reply.in_reply_to == command.id and _is_last(body := from_json(reply.body)):
                        return _value_of(body)
            yield from ask(Cancel(self._context.session, branch, command.id))
            yield from session_steps(self._context.session)
            raise deadline.over(operation)
        finally:
            self._at_rest.append((client, after))

    def leave_steps(self) -> Steps[None]:
        """Have what was answered forgotten, where nobody waits for more; if not, it expires, and nobody is told."""
        heard = [client for client, after in self._at_rest if after != START]
        heard += [replies.client for replies in list(self._replies.values()) if replies.heard]
        if heard:
            # Whoever closes a session has nothing at stake in this: an error here would hide what matters.
            with suppress(LionError):
                yield from ask(DropReplies(self._context.session, tuple(heard)))

    async def do(self, branch: IDType, operation: str, arguments: Mapping[str, Any], deadline: Deadline) -> Any:
        """Do an operation without blocking the event loop. Raises the worker's error, RoundTimeout."""
        async with self._asked(branch, operation, arguments, deadline) as reply:
            while not _is_last(body := await reply()):
                pass
            return _value_of(body)

    async def stream(
        self, branch: IDType, operation: str, arguments: Mapping[str, Any], deadline: Deadline
    ) -> AsyncGenerator[str]:
        """Yield the parts of an answer as they come.

        When another worker takes over, it begins anew: what was heard already is passed over. Raises ModelError when it
        says something else than the first one did; what it says then stands in the history.
        """
        heard = ""
        async with self._asked(branch, operation, arguments, deadline) as reply:
            while not _is_last(body := await reply()):
                new = _unheard(heard, int(body["at"]), str(body["text"]))
                heard += new
                if new:
                    yield new
            _value_of(body)

    @asynccontextmanager
    async def _asked(
        self, branch: IDType, operation: str, arguments: Mapping[str, Any], deadline: Deadline
    ) -> AsyncIterator[Callable[[], Awaitable[dict[str, Any]]]]:
        """Send a command, give what brings its next reply, and cancel it unless its last one was read."""
        replies = self._replies_here()
        command = self._command(branch, operation, arguments, replies.client, deadline)
        ended = False

        # No generator: one that is left before its end takes a turn of the event loop of its own to be closed.
        async def reply() -> dict[str, Any]:
            nonlocal ended
            with anyio.move_on_after(deadline.left()) as waiting:
                told = await replies.next(command.id)
            if waiting.cancelled_caught:
                await self._context.arun(session_steps(self._context.session))
                raise deadline.over(operation)
            body: dict[str, Any] = from_json(told.body)
            ended = _is_last(body)
            return body

        with replies.expecting(command.id):
            try:
                await self._context.arun(self._postbox.post_steps([command]))
                yield reply
            finally:
                if not ended:
                    await self._cancel(branch, command.id)

    async def _cancel(self, branch: IDType, command: str) -> None:
        with anyio.move_on_after(_CANCEL_SECONDS, shield=True):
            try:
                await self._context.exchange.acall(Cancel(self._context.session, branch, command))
            except LionError:
                # The error that ended the waiting is the one to be seen; without a server nobody hears of this either.
                return

    def _replies_here(self) -> Replies:
        loop = asyncio.get_running_loop()
        if loop not in self._replies:
            self._replies[loop] = Replies(self._context.exchange, self._context.session)
        return self._replies[loop]

    def _command(
        self, branch: IDType, operation: str, arguments: Mapping[str, Any], client: IDType, deadline: Deadline
    ) -> WireMail:
        plain = to_portable(arguments, what=f"What {operation} is given")
        body = encode_json({"item": {"op": operation, "args": plain}}, f"The command {operation}")
        session = self._context.session
        # Should nobody be left to cancel it, it is dropped when nobody waits for it any more.
        mail = IDType.create()
        carried = handed_in(self._context.exchange, session, branch, mail)
        header = Header(
            session, session, branch, "command", mail, reply_to=client, ttl=deadline.left() or None, **carried
        )
        return WireMail(header, body)


class Deadline:
    """How long somebody waits for an answer; `seconds` None is for ever."""

    def __init__(self, seconds: float | None, branch: str, pool: str) -> None:
        self._seconds = seconds
        self._branch = branch
        self._pool = pool
        self._end = None if seconds is None else time.monotonic() + seconds

    def left(self) -> float | None:
        """Seconds that are left, at least 0; None for ever."""
        return None if self._end is None else max(0.0, self._end - time.monotonic())

    def left_ms(self, most: int) -> int:
        """Milliseconds that are left, but no more than `most`."""
        left = self.left()
        return most if left is None else min(most, int(left * 1000))

    def over(self, operation: str) -> RoundTimeout:
        """The error when it is used up."""
        return RoundTimeout(
            f"{operation} on {self._branch} was not answered in {self._seconds:g} s and is cancelled. Is a worker"
            f" running for the pool {self._pool!r} (lion-broker worker --pool {self._pool})?"
        )


def _is_last(body: Mapping[str, Any]) -> bool:
    return "ok" in body


def _value_of(body: Mapping[str, Any]) -> Any:
    """Return what a worker answered, or raise its error."""
    if body.get("ok"):
        return body.get("value")
    raise error_from_dict(body.get("error") or {})


def _unheard(heard: str, at: int, text: str) -> str:
    """Return what of a part at a place has not been heard yet."""
    known = heard[at : at + len(text)]
    if at > len(heard) or not text.startswith(known):
        raise ModelError(
            "The worker was replaced in the middle of the answer, and the new one answers otherwise. The whole answer"
            " is in the branch's history when it has ended."
        )
    return text[len(known) :]
