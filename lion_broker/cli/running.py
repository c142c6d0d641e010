"""Runs a process of a deployment until it is told to stop."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from types import FrameType
from typing import TYPE_CHECKING, Final, TypeVar

import anyio

from lion_broker.errors import LionError, ServerBusy
from lion_broker.telemetry import logger

from .exits import Code

if TYPE_CHECKING:
    from lion_broker.config import Settings
    from lion_broker.mail.exchange import Exchange

__all__ = [
    "check_server",
    "ended_by_reader",
    "ended_by_signals",
    "log_to_stderr",
    "on_eof",
    "reader_is_gone",
    "run",
    "server_answers",
    "until_told",
]

STDIN: Final = 0
_BUSY_SECONDS: Final = 0.2
"""Between two calls of a server that is busy; a call has pauses of its own within its patience."""

log = logger("cli")

T = TypeVar("T")
Signals = AsyncIterator[signal.Signals]


def log_to_stderr(level: str, settings: Settings) -> None:
    """Send log lines to stderr: those of the package from `level` on, those of others from warnings on.

    Their form is that of the settings, whose secrets no line shows.
    """
    from lion_broker.telemetry.lines import log_lines

    log_lines(level, settings.log_format, [secret.decode() for secret in settings.secrets])


def run(program: Callable[[Signals], Awaitable[T]]) -> T:
    """Run a program with an event loop of its own; SIGINT and SIGTERM are for it to read.

    Raises an error of this package by itself, even when several tasks have failed together.
    """

    async def main() -> T:
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            return await program(signals)

    try:
        return anyio.run(main, backend_options={"use_uvloop": find_spec("uvloop") is not None})
    except BaseExceptionGroup as group:
        raise _heart(group) from group


def _heart(error: BaseException) -> BaseException:
    """Return the first error of this package in a group, or the group when there are others in it."""
    ours, others = error.split(LionError) if isinstance(error, BaseExceptionGroup) else (error, None)
    while isinstance(ours, BaseExceptionGroup):
        ours = ours.exceptions[0]
    return error if others or ours is None else ours


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Do what is within until SIGINT or SIGTERM, which are its usual end; they cut short whatever it waits for."""

    def end(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, end) for number in numbers]
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        for number, disposition in zip(numbers, before, strict=True):
            signal.signal(number, disposition)


@contextmanager
def ended_by_reader() -> Iterator[None]:
    """Do what is within until whoever reads what it prints has gone, as `head` has after some lines: its usual end."""
    try:
        yield
    except BrokenPipeError:
        # What is left in the buffer has nobody to go to, and must not fail again at the end of the program.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def reader_is_gone() -> bool:
    """Whether whoever read what is printed here has gone, as `head` has after some lines; found out without writing."""
    with suppress(OSError, ValueError):
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)
        return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))
    return False


async def check_server(exchange: Exchange) -> None:
    """Return once the server has answered; raises BrokerUnavailable, ProtocolMismatch."""
    from lion_broker.core.ids import IDType
    from lion_broker.mail.verbs import ReadSession

    await exchange.acall(ReadSession(IDType.create()))


async def server_answers(exchange: Exchange, signals: Signals, ended: Callable[[], bool] = lambda: False) -> bool:
    """Wait for the server for as long as it says that it is loading its data or busy; the exchange says so in the log.

    Returns False when a signal came first, or when it has `ended` meanwhile. Raises BrokerUnavailable where nobody
    answers within the patience of the exchange, ProtocolMismatch.
    """
    answered = False
    async with anyio.create_task_group() as group:

        async def watch() -> None:
            log.info("%s: stopping; the server has not answered yet", (await anext(signals)).name)
            group.cancel_scope.cancel()

        group.start_soon(watch)
        while not answered:
            try:
                await check_server(exchange)
                answered = True
            except ServerBusy:
                if ended():
                    break
                await anyio.sleep(_BUSY_SECONDS)
        group.cancel_scope.cancel()
    return answered


async def until_told(
    work: Callable[[], Awaitable[None]],
    stop: Callable[[], None],
    signals: Signals,
    hurry: Callable[[], None] | None = None,
) -> int:
    """Do the work to its end; the first signal calls `stop`, a second one cancels it, or calls `hurry` if there is one.

    Returns the exit code.
    """
    code: int = Code.OK
    async with anyio.create_task_group() as group:

        async def watch() -> None:
            nonlocal code
            log.info("%s: stopping; once more to stop at once", (await anext(signals)).name)
            stop()
            code = Code.SIGNAL + await anext(signals)
            if hurry is None:
                group.cancel_scope.cancel()
            else:
                hurry()

        group.start_soon(watch)
        await work()
        group.cancel_scope.cancel()
    return code


def on_eof(stop: Callable[[], None]) -> None:
    """Call `stop` in the running event loop when stdin ends."""
    loop = asyncio.get_running_loop()

    def watch() -> None:
        while os.read(STDIN, 4096):
            pass
        with suppress(RuntimeError):  # the loop has ended meanwhile, and with it what was to be stopped
            loop.call_soon_threadsafe(stop)

    # A daemon: it must not keep a process that ends for another reason.
    threading.Thread(target=watch, name="lion-broker-stdin", daemon=True).start()
