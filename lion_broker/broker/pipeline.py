"""One connection on which many callers' commands follow one another without waiting for each other's answers.

redis-py connects, authenticates and chooses the database; from then on the bytes are ours, because its way of reading
and writing costs more than the rest of a small command. The server answers in order: a queue tells whose a reply is.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from typing import Any, Final

import hiredis
from redis import exceptions as errors
from redis.asyncio.connection import DefaultParser

from .connection import make_room
from .quorum import Quorum
from .requests import packed

__all__ = ["PendingRequest", "Pipeline"]

_CHUNK: Final = 64 * 1024
"""Bytes that are joined for one write; more would be copied once more while the socket takes its time."""
_KEPT: Final = 1024 * 1024
"""Bytes that the reader keeps for the next reply rather than give them back to the system."""
_NOTHING: Final = object()


class PendingRequest:
    """Commands as bytes, how many replies they have, and who waits for them: `answered` gets all of them at once.

    A server that is silent for `seconds` does not answer. With a `quorum` the answer counts when so many replicas have
    what was written.
    """

    __slots__ = ("answered", "count", "packed", "quorum", "replies", "seconds", "since")

    def __init__(self, packed: bytes, count: int, seconds: float, quorum: Quorum | None = None) -> None:
        self.packed = packed
        self.count = count
        self.seconds = seconds
        self.quorum = quorum
        self.answered: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self.replies: list[Any] = []
        self.since = 0.0

    def confirm(self, replicas: Any) -> None:
        """Tell whoever waits, when enough replicas have it, or that they are too few."""
        try:
            if self.quorum is not None:
                self.quorum.insist(replicas)
        except errors.RedisError as error:
            self.fail(error)
        else:
            self.settle()

    def settle(self) -> None:
        """Tell whoever waits, unless it has gone: what the server answered, or that it is not ready to answer."""
        for reply in self.replies:
            # Unlike other errors these are no answers to the command, and the exchange asks again.
            if isinstance(reply, errors.ConnectionError):
                self.fail(reply)
                return
        if not self.answered.done():
            self.answered.set_result(self.replies)

    def fail(self, error: Exception) -> None:
        """Tell whoever waits that there is no answer, unless it has gone."""
        if not self.answered.done():
            self.answered.set_exception(error)


class Pipeline(asyncio.Protocol):
    """A connection after its handshake; `submit` may be called at any time, `lost` says that it is of no use any more.

    What is submitted first in a turn of the event loop is written at once, what follows in the same turn together.
    While nothing else is on its way, no turn is taken for what might follow.
    """

    def __init__(self, connection: Any) -> None:
        self._loop = asyncio.get_running_loop()
        # It has no public name in redis-py: the stream of a connection that it has opened. The writer
        # is kept, for it closes its transport when nobody does.
        ended = connection._reader.at_eof()
        self._writer, connection._reader, connection._writer = connection._writer, None, None
        self._transport: asyncio.Transport = self._writer.transport
        self._reader = hiredis.Reader(replyError=DefaultParser.parse_error, notEnoughData=_NOTHING)
        self._reader.setmaxbuf(_KEPT)
        self._queue: deque[PendingRequest] = deque()
        self._pending: deque[PendingRequest] = deque()
        self._unconfirmed: list[PendingRequest] = []
        self._confirmation: PendingRequest | None = None
        self._flushing = self._full = False
        self._heard = 0.0
        self._watch: asyncio.TimerHandle | None = None
        self._look_at = math.inf
        self._gone: asyncio.Future[None] = self._loop.create_future()
        self._error: Exception = errors.ConnectionError("Connection closed by server.")
        self.lost = False
        self._transport.set_protocol(self)
        if ended or self._transport.is_closing():
            # The other side has hung up already, and nobody would tell us again.
            self._give_up(self._error)
            self._gone.set_result(None)
        else:
            make_room(self._transport.get_extra_info("socket"))

    @classmethod
    async def open(cls, pool: Any) -> Pipeline:
        """Connect as a pool of redis-py would."""
        connection: Any = pool.connection_class(**pool.connection_kwargs)
        try:
            await connection.connect()
        except BaseException as error:
            await connection.disconnect(nowait=True)
            if isinstance(error, RuntimeError):
                # What uvloop says when the other side hangs up in the middle of the handshake.
                raise errors.ConnectionError("Connection closed by server.") from error
            raise
        return cls(connection)

    def submit(self, waiting: PendingRequest) -> None:
        """Send commands behind those that were submitted before."""
        if self.lost:
            waiting.fail(self._error)
            return
        if not (self._pending or self._queue or self._full or waiting.quorum):
            # It is alone, as a rule: nothing is joined to it, nor does it wait for a confirmation.
            packed = self._take(waiting)
            if not self._transport.is_closing():
                self._transport.write(packed)
            return
        self._queue.append(waiting)
        if not self._flushing:
            if self._pending:
                self._flushing = True
                self._loop.call_soon(self._flush_rest)
            self._flush()

    async def idle(self) -> None:
        """Wait until every reply has come, or the connection is lost."""
        waiting = [one.answered for one in (*self._queue, *self._pending)]
        if waiting:
            await asyncio.wait(waiting)

    async def close(self) -> None:
        """Close the connection; whoever waits is told that it is lost. Idempotent."""
        self._give_up(errors.ConnectionError("The connection was closed."))
        await self._gone

    def abort(self) -> None:
        """Let go of the connection at once, with what may still come on it."""
        self._give_up(errors.ConnectionError("The connection was closed."))

    def data_received(self, data: bytes) -> None:
        """Hand replies to those who wait for them."""
        self._heard = self._loop.time()
        gets, pending = self._reader.gets, self._pending
        try:
            self._reader.feed(data)
            while (reply := gets()) is not _NOTHING:
                head = pending[0]
                head.replies.append(reply)
                if len(head.replies) == head.count:
                    pending.popleft()
                    self._answered(head)
        except (hiredis.ProtocolError, IndexError) as error:
            self._give_up(errors.InvalidResponse(f"no reply of a server: {type(error).__name__}"))

    def connection_lost(self, error: Exception | None) -> None:
        """Tell everybody who waits."""
        self._give_up(error or self._error)
        if not self._gone.done():
            self._gone.set_result(None)

    def pause_writing(self) -> None:
        """Hold back what is submitted: the socket is full."""
        self._full = True

    def resume_writing(self) -> None:
        """Go on writing."""
        self._full = False
        self._flush()

    def _flush_rest(self) -> None:
        self._flushing = False
        self._flush()

    def _flush(self) -> None:
        while self._queue and not (self._full or self.lost or self._confirmation):
            chunk: list[bytes] = []
            size = 0
            while self._queue and size < _CHUNK:
                waiting = self._queue.popleft()
                # Nobody waits any more for what was given up while it stood in line.
                if not waiting.answered.done():
                    chunk.append(self._take(waiting))
                    size += len(chunk[-1])
            wanted = [one.quorum for one in self._unconfirmed if one.quorum is not None]
            if wanted:
                most = max(wanted, key=lambda one: one.ms)
                longest = max(one.seconds for one in self._unconfirmed)
                self._confirmation = PendingRequest(packed((most.command,)), 1, longest)
                chunk.append(self._take(self._confirmation))
            if chunk and not self._transport.is_closing():
                self._transport.write(b"".join(chunk))

    def _take(self, waiting: PendingRequest) -> bytes:
        """Put who waits for commands into the line; returns what is to be written."""
        waiting.since = self._loop.time()
        self._pending.append(waiting)
        if waiting.quorum is not None:
            self._unconfirmed.append(waiting)
        taken, waiting.packed = waiting.packed, b""
        # Nearly always somebody waits already who looks earlier.
        if waiting.since + waiting.seconds < self._look_at:
            self._look_by(waiting.since + waiting.seconds)
        return taken

    def _answered(self, waiting: PendingRequest) -> None:
        if waiting is self._confirmation:
            confirmed, self._unconfirmed, self._confirmation = self._unconfirmed, [], None
            for one in confirmed:
                one.confirm(waiting.replies[0])
            waiting.answered.cancel()  # nobody looks at it, but `idle` waits for its end
            self._flush()
        elif waiting.quorum is None:
            waiting.settle()

    def _look_by(self, moment: float) -> None:
        if self._watch is not None:
            self._watch.cancel()
        self._look_at = moment
        self._watch = self._loop.call_at(moment, self._look)

    def _look(self) -> None:
        """Give the connection up when the server has been silent for as long as somebody waits for it."""
        self._watch, self._look_at = None, math.inf
        if not self._pending:
            return
        moment = min(max(self._heard, one.since) + one.seconds for one in self._pending)
        if moment <= self._loop.time():
            self._give_up(TimeoutError("The server is silent."))
        else:
            self._look_by(moment)

    def _give_up(self, error: Exception) -> None:
        if self.lost:
            return
        self.lost, self._error = True, error
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        self._transport.abort()
        if self._confirmation is not None:
            # Those that it is for are told; nobody waits for itself.
            self._confirmation.answered.cancel()
        for waiting in (*self._unconfirmed, *self._pending, *self._queue):
            waiting.fail(error)
        for line in (self._unconfirmed, self._pending, self._queue):
            line.clear()
