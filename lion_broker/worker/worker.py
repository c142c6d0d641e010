"""A process that hosts branches: starts and stops intake, seats, leases, sweeper, inspector and heartbeat, no more."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from types import TracebackType
from typing import Final, Self

import anyio
from anyio.abc import TaskGroup

from lion_broker.branch.registry import Registry
from lion_broker.broker.connect import connect
from lion_broker.broker.leases import LeaseKeeper
from lion_broker.broker.library import PROTOCOL
from lion_broker.config import Settings
from lion_broker.core.numbers import counted
from lion_broker.errors import BrokerError, BrokerUnavailable, ConfigError, LionError, ProtocolMismatch, ServerBusy
from lion_broker.mail.deployment import Order, WorkerPhase, WorkerReport
from lion_broker.mail.exchange import Exchange
from lion_broker.mail.records import ReadyEntry
from lion_broker.mail.verbs import Release, Station
from lion_broker.telemetry import logger
from lion_broker.telemetry.at_once import tell_all
from lion_broker.telemetry.lines import now_about

from .heartbeat import Heartbeat, beat_ms, told_behaviours
from .inspector import Inspector
from .reading import Reading
from .schedule import Schedule
from .seat import Seat
from .seat_tasks import SeatTasks
from .sweeper import Sweeper
from .workplace import Workplace

__all__ = ["Worker", "WorkerState"]

log = logger("worker")

_TROUBLED_SECONDS: Final = 0.5
_OTHERS_FIRST_SECONDS: Final = 0.02
"""How long a worker that has more to do than it can leaves what is ready to others before it looks."""


@dataclass(frozen=True, slots=True)
class WorkerState:
    """What a worker is doing: branches at work now, and what it has done since it started.

    `rescued` counts branches that it took from dead workers and gave to others; `in_line` branches wait for a seat.
    `late` is how many seconds late its event loop was a moment ago: from 0.01 on it has more to do than it can.
    """

    owner: str
    pool: str
    active: int
    turns: int
    mails: int
    rescued: int
    stopping: bool
    in_line: int = 0
    late: float = 0.0


class Worker:
    """Hosts the branches of a pool: `async with Worker(registry) as worker: await worker.run()`.

    `concurrency` is how many branches it serves side by side, `batch` how many mails it takes at once, `grace` how many
    seconds turns may take to end when it stops. Several workers, in any number of processes, share a pool.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        exchange: Exchange | str | None = None,
        pool: str = "default",
        concurrency: int = 100,
        batch: int = 200,
        grace: float = 25.0,
        lease: float | None = None,
    ) -> None:
        if concurrency < 1 or batch < 1:
            raise ConfigError("A worker needs a concurrency and a batch of at least 1.")
        settings = Settings.load()
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._exchange = exchange if isinstance(exchange, Exchange) else connect(exchange, settings)
        self._owned = self._exchange is not exchange
        registry.share_limits(self._exchange)
        self._lease_ms = int((settings.lease if lease is None else lease) * 1000)
        self._grace = grace
        self._trouble = ""
        self._stop = anyio.Event()
        self._told_to_stop = False
        self._seat_tasks: SeatTasks | None = None
        self._schedule = Schedule(concurrency, batch, self._start_seat)
        self._place = Workplace(
            exchange=self._exchange,
            registry=registry,
            keeper=LeaseKeeper(self._exchange, self._lease_ms, self._on_cancelled, self._on_lease_lost, self._mail_at),
            pool=pool,
            owner=self.owner,
            lease_ms=self._lease_ms,
            schedule=self._schedule,
        )
        self._reading = Reading(self._schedule, self._place.load, pool, self.owner)
        self._concurrency = concurrency
        self._started = time.time()
        self._ended = False
        self._unbegun: set[tuple[str, str, str]] = set()
        self._helpers: TaskGroup | None = None
        self._notify: Callable[..., object] | None = None
        self._sweeper = Sweeper(self._exchange, pool, self._lease_ms, self._place.time.heard)

    @property
    def state(self) -> WorkerState:
        """A picture of the worker as it is now."""
        place = self._place
        return WorkerState(
            self.owner,
            place.pool,
            self._schedule.active,
            place.turns,
            place.mails,
            self._sweeper.renewed,
            place.stopping,
            self._schedule.in_line,
            place.load.late_now,
        )

    async def run(self, *, until_idle: bool = False) -> None:
        """Serve branches until `stop`, or with `until_idle` until nothing waits, nor is to be tried again.

        When it is told to stop it takes no new branches, lets turns end within the grace period, hands the branches
        back, and returns. A server that does not answer is waited for, and so is one that refuses the worker later on;
        one that refuses it when it begins raises BrokerError. A worker that came to an end by itself may run again.
        """
        self._place.until_idle = self._reading.until_idle = until_idle
        if self._ended and not self._told_to_stop:
            self._stop, self._ended, self._place.stopping = anyio.Event(), False, False
            self._unbegun.clear()  # handed back at the end of the last run
        now_about({"worker": self.owner})
        with suppress(BrokerUnavailable):
            await self._exchange.acall_all(())
        log.debug("worker %s serves pool %s on %r", self.owner, self._place.pool, self._exchange)
        async with anyio.create_task_group() as helpers:
            helpers.start_soon(self._sweeper.run)
            helpers.start_soon(Inspector(self._exchange).run)
            helpers.start_soon(self._place.load.watch)
            self._helpers = helpers
            # In the keeper's own context anyio would not know which event loop this is.
            self._notify = partial(asyncio.get_running_loop().call_soon_threadsafe, context=copy_context())
            heartbeat = Heartbeat(self._exchange, self._report, beat_ms(self._lease_ms) / 1000, self._on_order)
            heartbeat.start()
            tasks = self._seat_tasks = SeatTasks()
            try:
                await self._read_ready(until_idle)
                self._place.stopping = True
                with anyio.move_on_after(self._grace):
                    await tasks.wait()
            finally:
                await tasks.drop()
                self._helpers = None
                helpers.cancel_scope.cancel()
                with anyio.CancelScope(shield=True):
                    await self._hand_back()
                    self._ended = True
                    await anyio.to_thread.run_sync(heartbeat.stop)
        turns, mails = counted(self._place.turns, "turn"), counted(self._place.mails, "mail")
        log.info("worker %s has stopped: %s, %s", self.owner, turns, mails)

    def stop(self) -> None:
        """Begin to stop; may be called twice, and before `run`."""
        # From here on turns end with a commit that hands the branch back.
        self._told_to_stop = self._place.stopping = True
        self._stop.set()
        # Intake may be waiting for a free seat, and the grace begins when it ends.
        self._schedule.nudge()

    async def aclose(self) -> None:
        """Let go of the exchange; call it after `run` has returned. Idempotent."""
        tell_all()
        self._place.keeper.close()
        if self._owned:
            await self._exchange.aclose()

    def _on_cancelled(self, station: Station) -> None:
        """Take note, in the keeper's thread, that a command of a branch was cancelled."""
        if self._notify is not None:
            with suppress(RuntimeError):  # the loop has ended
                self._notify(self._stop_cancelled, station)

    def _on_lease_lost(self, station: Station) -> None:
        """Take note, in the keeper's thread, that a branch is another's, or that its turn was stopped."""
        if self._notify is not None:
            with suppress(RuntimeError):  # the loop has ended
                self._notify(self._place.drop, station)

    def _mail_at(self, station: Station) -> str:
        return self._place.at(station)

    def _on_order(self, order: Order) -> None:
        """Do what the register says, in the heartbeat's thread."""
        if order is Order.DRAIN and not self._place.stopping and self._notify is not None:
            log.info("worker %s is told to drain", self.owner)
            with suppress(RuntimeError):  # the loop has ended
                self._notify(self.stop)

    def _report(self) -> WorkerReport:
        """Say how the worker is, for the register."""
        state = self.state
        going = WorkerPhase.DRAINING if state.stopping else WorkerPhase.RUNNING
        return WorkerReport(
            owner=state.owner,
            pool=state.pool,
            state=WorkerPhase.STOPPED if self._ended else going,
            host=socket.gethostname(),
            pid=os.getpid(),
            version=_package_version(),
            protocol=PROTOCOL,
            started=self._started,
            beat_ms=beat_ms(self._lease_ms),
            concurrency=self._concurrency,
            active=state.active,
            turns=state.turns,
            mails=state.mails,
            rescued=state.rescued,
            late_ms=int(state.late * 1000),
            behaviours=told_behaviours(self._place.registry),
        )

    def _stop_cancelled(self, station: Station) -> None:
        if self._helpers is not None:
            self._helpers.start_soon(self._place.stop_cancelled, station)

    async def _read_ready(self, until_idle: bool) -> None:
        while not self._stop.is_set():
            read = self._reading.next()
            if read is None:
                await self._schedule.changed()
                continue
            if not read.wait_ms:
                await anyio.sleep(_OTHERS_FIRST_SECONDS)
            try:
                # A read is never cut short: what it was given would wait for the sweeper.
                found = await self._exchange.acall(read)
                idle = until_idle and not found and not self._schedule.busy and not await self._place.retries()
            except BrokerError as error:
                # Nobody knows whether anything waits.
                await self._wait_out(error)
                continue
            self._trouble = ""
            self._reading.note(read, found)
            for ready in found:
                self._admit(ready)
            if found:
                # Their claims go out before the next read is made ready.
                await asyncio.sleep(0)
            if idle:
                self._stop.set()

    def _admit(self, ready: ReadyEntry) -> None:
        """Let a branch that was read wait for a seat; one that came with its first mail is this worker's already."""
        if ready.given is not None:
            self._unbegun.add((ready.session, ready.branch, ready.id))
        self._schedule.add(ready)

    def _start_seat(self, ready: ReadyEntry) -> None:
        if self._seat_tasks is not None:
            self._seat_tasks.start(self._serve(ready), partial(self._schedule.leave, ready.session))

    async def _wait_out(self, error: BrokerError) -> None:
        """Wait for a server that does not answer, or takes this worker no longer; it was let in when it began."""
        if isinstance(error, BrokerUnavailable) and not isinstance(error, ServerBusy):
            log.warning("waiting for the server: %s", error)
            return
        if isinstance(error, ProtocolMismatch):
            raise error
        # That the server is busy was said by the exchange, once for all who wait.
        if self._trouble != str(error) and not isinstance(error, ServerBusy):
            log.error("waiting until it is mended: %s", error)
            self._trouble = str(error)
        await anyio.sleep(_TROUBLED_SECONDS)

    async def _serve(self, ready: ReadyEntry) -> None:
        self._schedule.begun()
        self._unbegun.discard((ready.session, ready.branch, ready.id))
        try:
            await Seat(self._place, ready).serve()
        except LionError as error:
            # The branch stays claimed until its lease ends; then any worker goes on from its last commit.
            # Its text only: with the error itself, who keeps log records would keep the branch.
            log.warning("branch %s was left: %s", ready.branch, str(error))
        except Exception:
            # Whatever it is, it is this branch's alone: the other seats go on.
            log.exception("branch %s was left", ready.branch)

    async def _hand_back(self) -> None:
        try:
            if self._unbegun:
                await self._exchange.acall(Release(tuple(Station(*one) for one in self._unbegun)))
            await anyio.to_thread.run_sync(self._place.keeper.release_all)
        except LionError as error:
            log.warning("branches could not be handed back; their leases end by themselves: %s", error)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.stop()
        await self.aclose()

    def __repr__(self) -> str:
        return f"Worker({self.state})"


@cache
def _package_version() -> str:
    try:
        return version("lion-broker")
    except PackageNotFoundError:
        return ""
