"""Mail that is held back to go together, and that sets out in pieces while more of it comes."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from threading import RLock
from types import TracebackType
from typing import Any, Final, Protocol

from anyio import to_thread

from lion_broker.errors import BranchClosed, LeaseLost, LionError, MailboxFull
from lion_broker.mail.exchange import Exchange, Steps, VerbPipeline
from lion_broker.mail.verbs import Verb
from lion_broker.telemetry.mail_spans import Together

__all__ = ["MOST_ON_THEIR_WAY", "PIECE", "PIECE_BYTES", "Batch", "Batches", "Holder"]

PIECE: Final = 50
"""Mails of one function call; with a kibibyte each they hold the server, and who waits for it, for a millisecond."""
PIECE_BYTES: Final = 1024 * 1024
"""What the mails of one function call may have together, unless it is one mail."""
MOST_ON_THEIR_WAY: Final = 16
"""Pieces of one holder that have no answer yet, or are full and wait for one; whoever sends more waits."""


class Holder(Protocol):
    """Who holds mail back: a branch of this process, or the post of all others."""

    def asked(self) -> Sequence[Verb[Any]]:
        """Return what is on its way already, or was and has no answer."""

    def next_piece(self) -> Verb[Any] | None:
        """Return what is to go behind that, when there is a full piece of mail."""

    def absorb(self, verb: Any, answer: Any) -> None:
        """Take note of an answer; raises what was refused."""


class Batch:
    """A block in which mail is held back: `with` or `async with`. An error inside ends it; its mail is posted anyway.

    It holds for the task or thread that opened it, and for tasks that this one starts inside; not for others.
    """

    def __init__(
        self,
        batches: Batches,
        run: Callable[[Steps[Any]], Any],
        arun: Callable[[Steps[Any]], Awaitable[Any]],
        end: Callable[[], Steps[None]],
    ) -> None:
        self.is_open = False
        self.spans = Together()
        self.batches = batches
        self.refused: LionError | None = None
        """What became of the first mail that was refused before the end."""
        self._run = run
        self._arun = arun
        self._end = end

    def __enter__(self) -> None:
        self.batches.begin(self)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self.batches.finish(self):
            self.batches.settle()
            self._run(self._end())
        self._tell(error)

    async def __aenter__(self) -> None:
        self.batches.begin(self)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        if self.batches.finish(self):
            await self.batches.asettle()
            await self._arun(self._end())
        self._tell(error)

    def _tell(self, error: BaseException | None) -> None:
        """Raise what was refused on the way, unless the block was cancelled or interrupted."""
        refused, self.refused = self.refused, None
        if refused is not None and (error is None or isinstance(error, Exception)):
            raise refused


_open: ContextVar[tuple[Batch, ...]] = ContextVar("lion_broker_batches", default=())


class Batches:
    """The batches of one session that are open here, and what of their mail is on its way.

    A piece that is full sets out while the block goes on, all of them on one way and in order; so a block takes no more
    memory than its last pieces. What cannot go is held until the end, when it is asked for again with patience.
    """

    def __init__(self) -> None:
        self._pipeline: VerbPipeline | None = None
        self._going: deque[tuple[Batch, Holder, Verb[Any]]] = deque()
        self._late: dict[int, int] = {}
        self._halted = self._busy = False
        self._lock = RLock()
        self._process = os.getpid()

    def begin(self, batch: Batch) -> None:
        """Hold mail back from now on."""
        batch.is_open = True
        batch.spans.begin()
        _open.set((*_open.get(), batch))

    def finish(self, batch: Batch) -> bool:
        """Hold it back no longer on this batch's account; whether the mail may go now."""
        batch.is_open = False
        batch.spans.end()
        _open.set(tuple(one for one in _open.get() if one is not batch))
        return not self.holding

    @property
    def holding(self) -> bool:
        """Whether whoever asks is inside a batch."""
        # Asked for every mail.
        return bool(opened := _open.get()) and True in [one.is_open for one in opened if one.batches is self]

    @property
    def takes_more(self) -> bool:
        """Whether mail of whoever asks can be sent on now: it is inside a batch, and nobody else is doing that."""
        return not (self._halted or self._busy) and self.holding

    def send_on(self, exchange: Exchange, holder: Holder) -> None:
        """Send the full pieces of somebody's mail, if whoever asks is inside a batch; see `SessionContext.send_on`."""
        batch = self._outermost(_open.get())
        if batch is None or self._halted:
            return
        with self._lock:
            self._busy = True
            try:
                self._pipeline = self._pipeline or exchange.pipeline()
                self._send(self._pipeline, batch, holder)
            except LionError:
                self._halted = True
                self.drop()
            except BaseException:
                self.drop()
                raise
            finally:
                self._busy = False

    def settle(self) -> None:
        """Wait for the answers to what is on its way. What gets none is asked for again by whoever ends the batch."""
        if os.getpid() != self._process:
            # The connection is that of the process from which this one was forked.
            return
        with self._lock:
            try:
                if self._pipeline is not None:
                    self._hear(self._pipeline, 0)
            except LionError:
                pass
            finally:
                self._halted = False
                self.drop()

    async def asettle(self) -> None:
        """Do the same without blocking the event loop."""
        if not self._going:
            self.settle()
            return
        try:
            await to_thread.run_sync(self.settle)
        finally:
            self.drop()

    def drop(self) -> None:
        """Wait for no answer any more."""
        with self._lock:
            self._going.clear()
            self._late.clear()
            pipeline, self._pipeline = self._pipeline, None
            if pipeline is not None:
                pipeline.close()

    def _outermost(self, opened: tuple[Batch, ...]) -> Batch | None:
        for batch in opened:
            if batch.batches is self and batch.is_open:
                return batch
        return None

    def _send(self, pipeline: VerbPipeline, batch: Batch, holder: Holder) -> None:
        self._hear(pipeline, MOST_ON_THEIR_WAY - 1)
        going = {id(verb) for _, _, verb in self._going}
        # What somebody has asked for on another way comes first here as well, for what follows is to find it done.
        for verb in holder.asked():
            if id(verb) not in going:
                self._begin(pipeline, batch, holder, verb)
        late = self._late.get(id(holder), 0) + 1
        while True:
            while (piece := holder.next_piece()) is not None:
                self._begin(pipeline, batch, holder, piece)
                late -= 1
            if late <= MOST_ON_THEIR_WAY or not self._going:
                break
            # Some have one piece on its way at a time: with a slow server they would hold more and more.
            self._hear(pipeline, 0)
        self._late[id(holder)] = max(late, 0) if self._going else 0

    def _begin(self, pipeline: VerbPipeline, batch: Batch, holder: Holder, verb: Verb[Any]) -> None:
        self._going.append((batch, holder, verb))
        pipeline.begin(verb)
        self._hear(pipeline, MOST_ON_THEIR_WAY - 1)

    def _hear(self, pipeline: VerbPipeline, most: int) -> None:
        """Take note of the answers that have come; of all but the last so many."""
        for answer in pipeline.answers(most):
            batch, holder, verb = self._going.popleft()
            try:
                holder.absorb(verb, answer)
            except LionError as error:
                batch.refused = batch.refused or error
                # What is refused for another reason, such as that the session is gone, would be refused again.
                self._halted = self._halted or not isinstance(error, (BranchClosed, LeaseLost, MailboxFull))
