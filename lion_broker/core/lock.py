"""One lock for threads and for tasks."""

import asyncio
import threading
from contextvars import ContextVar
from types import TracebackType

__all__ = ["TaskLock"]

# The holds that this context is inside of; a thread started by `to_thread` inherits them.
_holds: ContextVar[tuple[object, ...]] = ContextVar("lion_broker_holds", default=())


class TaskLock:
    """Keeps threads apart for one operation, and tasks for as long as they wish.

    - `with lock:` is for short, synchronous work. It may be nested.
    - `async with lock:` is held by the task across its awaits. The task may enter it again. Other tasks wait.
    - While a task holds it, `with lock:` waits in other threads, but not in the thread of that task's event
      loop, where waiting would stop the very task that is waited for; nor in a thread that was started from
      inside the hold (`asyncio.to_thread`), which the holder may be waiting for.
    """

    __slots__ = ("_depth", "_free", "_hold", "_holder", "_inner", "_loop", "_waiters")

    def __init__(self) -> None:
        self._inner = threading.RLock()
        # Made for the first task that holds the lock: most are never held, and every branch has some.
        self._free: threading.Condition | None = None
        self._holder: asyncio.Task[object] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._hold: object = None
        self._depth = 0
        self._waiters: list[asyncio.Future[None]] = []

    def __enter__(self) -> None:
        self._inner.acquire()
        try:
            while self._holder is not None and self._free is not None and not self._may_pass():
                self._free.wait()
        except BaseException:  # an interrupt while waiting
            self._inner.release()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._inner.release()

    async def __aenter__(self) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("`async with` on a pile works in an asyncio task only.")
        loop = asyncio.get_running_loop()
        while True:
            with self._inner:
                if self._free is None:
                    self._free = threading.Condition(self._inner)
                if self._holder is task:
                    self._depth += 1
                    return
                if self._holder is None:
                    self._holder, self._loop, self._hold, self._depth = task, loop, object(), 1
                    _holds.set((*_holds.get(), self._hold))
                    return
                waiter = loop.create_future()
                self._waiters.append(waiter)
            await waiter

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._inner:
            self._depth -= 1
            if self._depth:
                return
            _holds.set(tuple(hold for hold in _holds.get() if hold is not self._hold))
            self._holder = self._loop = self._hold = None
            waiters, self._waiters = self._waiters, []
            if self._free is not None:
                self._free.notify_all()
        for waiter in waiters:
            _wake(waiter)

    def _may_pass(self) -> bool:
        if self._hold in _holds.get():
            return True
        try:
            return asyncio.get_running_loop() is self._loop
        except RuntimeError:
            return False


def _wake(waiter: asyncio.Future[None]) -> None:
    """Let a waiting task look again, in whatever event loop it lives."""

    def resolve() -> None:
        if not waiter.done():
            waiter.set_result(None)

    loop = waiter.get_loop()
    if not loop.is_closed():
        loop.call_soon_threadsafe(resolve)
