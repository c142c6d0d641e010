"""Mail that is held back to be posted together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from types import TracebackType
from typing import Any

from lion_broker.mail.exchange import Steps
from lion_broker.telemetry.mail_spans import Together

__all__ = ["Batch", "Batches"]


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
        self._batches = batches
        self._run = run
        self._arun = arun
        self._end = end

    def __enter__(self) -> None:
        self._batches.begin(self)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._batches.finish(self):
            self._run(self._end())

    async def __aenter__(self) -> None:
        self._batches.begin(self)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        if self._batches.finish(self):
            await self._arun(self._end())


_open: ContextVar[tuple[Batch, ...]] = ContextVar("lion_broker_batches", default=())


class Batches:
    """The batches of one session that are open here."""

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
        opened = _open.get()
        return bool(opened) and self in [one._batches for one in opened if one.is_open]
