"""Waiting without sleeping: ask until it is so, and say what was seen when it never is."""

from __future__ import annotations

import inspect
import reprlib
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar, overload

import anyio

__all__ = ["await_until", "wait_until"]

T = TypeVar("T")

_FIRST_PAUSE = 0.001
_LONGEST_PAUSE = 0.05
_SHOWN_CHARACTERS = 500


def wait_until(predicate: Callable[[], T | None], timeout: float = 30.0, message: str = "") -> T:
    """Call `predicate` until its answer is true, and return that answer. Blocks.

    Asks at once, then after a millisecond, then less and less often, at most every 50 ms. What the predicate raises is
    raised. Raises AssertionError with `message` and the last answer when it is not so within `timeout` seconds.
    """
    answer = predicate()
    for pause in _pauses(timeout):
        if answer:
            break
        threading.Event().wait(pause)
        answer = predicate()
    return _insist(answer, timeout, message)


@overload
async def await_until(predicate: Callable[[], Awaitable[T | None]], timeout: float = ..., message: str = ...) -> T: ...
@overload
async def await_until(predicate: Callable[[], T | None], timeout: float = ..., message: str = ...) -> T: ...
async def await_until(predicate: Callable[[], Any], timeout: float = 30.0, message: str = "") -> Any:
    """Wait as `wait_until` does without blocking the event loop; the predicate may be an async function too."""
    answer = await _asked(predicate)
    for pause in _pauses(timeout):
        if answer:
            break
        await anyio.sleep(pause)
        answer = await _asked(predicate)
    return _insist(answer, timeout, message)


def _pauses(timeout: float) -> Iterator[float]:
    """Yield how long to wait before each further look; the last one is at the deadline.

    Or after it: a process that had to wait itself has not looked at the deadline, and looks once more.
    """
    deadline, pause, left = time.monotonic() + timeout, _FIRST_PAUSE, timeout
    while left > 0:
        left = deadline - time.monotonic()
        yield max(0.0, min(pause, left))
        pause = min(2 * pause, _LONGEST_PAUSE)


async def _asked(predicate: Callable[[], Any]) -> Any:
    answer = predicate()
    return await answer if inspect.isawaitable(answer) else answer


def _insist(answer: T | None, timeout: float, message: str) -> T:
    if answer:
        return answer
    shown = reprlib.Repr()
    shown.maxstring = shown.maxother = _SHOWN_CHARACTERS
    raise AssertionError(f"{message or 'not so'} within {timeout:g} s; the last answer was {shown.repr(answer)}")
