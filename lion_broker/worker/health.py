"""Whether a worker is alive and makes progress, told by what it commits and not by whether its process is there."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import anyio
from pydantic_core import to_json

from lion_broker.errors import BrokerError, BrokerUnavailable, ServerBusy
from lion_broker.mail.exchange import Exchange
from lion_broker.mail.verbs import ReadPools
from lion_broker.telemetry import logger
from lion_broker.telemetry.port import Page

from .worker import WorkerState

__all__ = ["Facts", "HealthMonitor", "reasons"]

log = logger("health")

_BEAT_SECONDS: Final = 0.25
_ASK_SECONDS: Final = 2.0
_DEEPEST: Final = 8


@dataclass(slots=True)
class Facts:
    """What is known of a worker's health; moments are seconds of the monotonic clock.

    `turns` were committed, the last of them at `moved`; work has been waiting since `waiting`, if it does. `asked` is
    when the server was asked something that it has not answered yet; `trouble` is what it has answered instead.
    """

    turns: int = 0
    moved: float = 0.0
    waiting: float | None = None
    asked: float | None = None
    heard: float | None = None
    trouble: str = ""
    draining: bool = False

    def note(self, state: WorkerState, backlog: int, now: float) -> None:
        """Take note of how far the worker is, and of how many branches of its pool nobody has claimed."""
        if state.turns != self.turns:
            self.turns, self.moved = state.turns, now
        if not backlog and not state.in_line:
            self.waiting = None
        elif self.waiting is None:
            self.waiting = now


def reasons(facts: Facts, now: float, patience: float, stalled_after: float) -> list[str]:
    """Return why a worker is not ready, in words; nothing when it is. Times are in seconds."""
    found = []
    if facts.draining:
        found.append("It is draining: it takes no new work.")
    if facts.trouble:
        found.append(facts.trouble)
    elif facts.asked is not None and now - facts.asked > patience:
        found.append(f"The server has not answered for {now - facts.asked:.0f} s.")
    elif facts.heard is None:
        found.append("It has not heard from the server yet.")
    if facts.waiting is not None and now - max(facts.waiting, facts.moved) > stalled_after:
        found.append(f"Work waits, and nothing was committed for {now - max(facts.waiting, facts.moved):.0f} s.")
    return found


@dataclass(slots=True)
class _Watchdog:
    """Counts the beats that an event loop misses, in a thread of its own: a process that slept has missed only one."""

    most: int
    missed: int = 0
    loop_thread: int = 0
    _end: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Begin to count, for the event loop that runs in this thread."""
        self.loop_thread = threading.get_ident()
        threading.Thread(target=self._watch, name="lion-broker-watchdog", daemon=True).start()

    def stop(self) -> None:
        """End."""
        self._end.set()

    def beat(self) -> None:
        """Say that the event loop turns."""
        self.missed = 0

    @property
    def stuck(self) -> bool:
        """Whether the event loop has not turned for as long as it may."""
        return self.missed >= self.most

    def _watch(self) -> None:
        while not self._end.wait(_BEAT_SECONDS):
            self.missed += 1
            if self.missed == self.most:
                frame = sys._current_frames().get(self.loop_thread)
                where = "".join(traceback.format_stack(frame, _DEEPEST)) if frame is not None else "nowhere"
                log.error("the event loop is stuck for %.0f s at:\n%s", self.missed * _BEAT_SECONDS, where)


class HealthMonitor:
    """Watches the health of a worker while `run` runs; its pages may be asked from any thread.

    `patience` is for how many seconds the server may be silent, `stalled_after` how many seconds work may wait without
    any commit, and the event loop stand still.
    """

    def __init__(
        self, state: Callable[[], WorkerState], exchange: Exchange, *, patience: float, stalled_after: float
    ) -> None:
        self._state = state
        self._exchange = exchange
        self._patience = patience
        self._stalled_after = stalled_after
        self._watchdog = _Watchdog(max(2, round(stalled_after / _BEAT_SECONDS)))
        self.facts = Facts()
        self.heard_at = 0.0

    async def run(self) -> None:
        """Watch the worker until cancelled."""
        self._watchdog.start()
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._ask)
                while True:
                    self._watchdog.beat()
                    await anyio.sleep(_BEAT_SECONDS)
        finally:
            self._watchdog.stop()

    async def _ask(self) -> None:
        while True:
            self.facts.asked = time.monotonic()
            try:
                backlog = await self._backlog()
            except BrokerError as error:
                self.facts.trouble = _trouble(error)
            else:
                self.facts.trouble, self.facts.asked = "", None
                self.facts.heard, self.heard_at = time.monotonic(), time.time()
                self.facts.note(self._state(), backlog, time.monotonic())
            await anyio.sleep(min(_ASK_SECONDS, self._stalled_after / 4))

    async def _backlog(self) -> int:
        """Ask how many branches of the pool have work and no worker."""
        pool = self._state().pool
        return sum(one.ready for one in await self._exchange.acall(ReadPools()) if one.pool == pool)

    def live(self) -> Page:
        """Say whether the event loop turns: 200, else 503."""
        stuck = self._watchdog.stuck
        return _page(["The event loop does not turn."] if stuck else [])

    def ready(self) -> Page:
        """Say whether the worker makes progress: 200, else 503 with the reasons."""
        state, facts = self._state(), self.facts
        facts.draining = state.stopping
        why = reasons(facts, time.monotonic(), self._patience, self._stalled_after)
        if self._watchdog.stuck:
            why.append("The event loop does not turn.")
        return _page(why)


def _trouble(error: BrokerError) -> str:
    if isinstance(error, ServerBusy):
        return str(error)
    gone = isinstance(error, BrokerUnavailable)
    return f"{'The server cannot be reached' if gone else 'The server refuses'}: {error}"


def _page(why: list[str]) -> Page:
    body = to_json({"status": "failing" if why else "ok", "reasons": why})
    return Page(body + b"\n", status=503 if why else 200)
