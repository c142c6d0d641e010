"""What `up` keeps running: worker processes of each pool, as many as `scale` says, and the dashboard."""

from __future__ import annotations

import json
import os
import secrets
import socket
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import anyio

from lion_broker.core.numbers import counted
from lion_broker.errors import LionError
from lion_broker.telemetry import logger

from .exits import Code
from .fleet import Fleet
from .own_command import own_words
from .running import Signals, check_server
from .supervise import given_environ
from .up_state import UpState

if TYPE_CHECKING:
    from lion_broker.config import Settings
    from lion_broker.mail.exchange import Exchange

__all__ = ["Plan", "serve"]

log = logger("cli")

PORT: Final = 8420
_WORKERS: Final = 2
_PER_CORE: Final = 16
"""A worker uses one core; more than so many for each are a slip, and would take the machine's memory."""
_LOOK_SECONDS: Final = 0.5
_DASHBOARD: Final = ("jinja2", "starlette", "uvicorn")
_TOKEN: Final = "LION_BROKER_DASHBOARD_TOKEN"  # noqa: S105 - the name of a variable


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to run.

    `workers` is how many of each pool, None for what is wanted anyway; `options` are for workers, `shared_options` for
    them and the dashboard; a `port` of None is the usual one, or a free one.
    """

    settings: Settings
    app: str | None
    pools: Sequence[str]
    workers: int | None
    options: Sequence[str]
    shared_options: Sequence[str]
    port: int | None
    dashboard: bool

    @property
    def registry(self) -> str:
        """The Registry of the workers."""
        from lion_broker.demo.research import APP

        return self.app or APP

    def fleet(self, pool: str, wanted: int) -> Fleet:
        """The workers of a pool."""
        words = own_words(
            "worker", "--app", self.registry, "--pool", pool, *self.options, *self.shared_options, "--until-eof"
        )
        return Fleet(words, given_environ(self.settings), wanted, stays=True)


class Dashboard:
    """The gateway as a process, kept like a worker; `address` is what a browser opens, once it is `settled`."""

    def __init__(self, plan: Plan) -> None:
        given = plan.settings.environ
        known = bool(given.get(_TOKEN) or given.get(f"{_TOKEN}_FILE"))
        # One for all processes in a row, so that what was opened once stays open.
        self._token = "" if known else secrets.token_urlsafe(24)
        self._words = own_words("gateway", "--json", *plan.shared_options)
        self._environ = given_environ(plan.settings) | ({} if known else {_TOKEN: self._token})
        self._port = plan.port
        self._fleet: Fleet | None = None
        self.plain = ""
        self.absent = "" if plan.dashboard else "not wanted (--no-dashboard)"
        if plan.dashboard and not all(map(find_spec, _DASHBOARD)):
            self.absent = "not installed: pip install 'lion-broker[dashboard]'"
        self.settled = anyio.Event()
        self.code: int = Code.OK
        if self.absent:
            self.settled.set()

    @property
    def address(self) -> str:
        """Where it is, with the token that lets people in when it was made here; empty without a dashboard."""
        return f"{self.plain}login#{self._token}" if self.plain and self._token else self.plain

    async def run(self) -> None:
        """Keep the process until `stop`; on another port when nobody has named one and the usual one is taken."""
        if self.absent:
            return
        for port in (PORT, 0) if self._port is None else (self._port,):
            words = [*self._words, "--port", str(port)]
            self._fleet = Fleet(words, self._environ, on_line=self._hear, on_failure=self._miss)
            await self._fleet.run()
            self.code = self._fleet.code
            if self.code != Code.USAGE:
                break
        self.settled.set()

    def stop(self) -> None:
        """Have it end."""
        if self._fleet is not None:
            self._fleet.stop()

    def _miss(self, code: int) -> None:
        """Let nobody wait for a dashboard that does not begin; another attempt may still bring it."""
        if not self.plain:
            self.absent = f"it has ended with {code}, and the log says why; it is tried again"
            self.settled.set()

    def _hear(self, line: str) -> None:
        with suppress(ValueError, KeyError, TypeError):
            self.plain = str(json.loads(line)["url"])
            self.settled.set()
            if self._fleet is not None:
                # The next process takes the same port.
                self._fleet.words[-1] = str(urlsplit(self.plain).port)


class Deployment:
    """Worker processes of each pool, the dashboard, and who watches over them."""

    def __init__(self, plan: Plan, exchange: Exchange) -> None:
        self._plan = plan
        self._exchange = exchange
        self._fleets: dict[str, Fleet] = {}
        self._known: dict[str, int] = {}
        self._dashboard = Dashboard(plan)
        self._started = time.time()
        self._hurried: int = Code.OK

    async def run(self, write: Callable[[UpState], None], say: Callable[[dict[str, Any]], None], told: Signals) -> int:
        """Run until signals, or until something cannot work; returns the exit code."""
        write(self._standing())
        await self._begin()
        async with anyio.create_task_group() as outer:
            outer.start_soon(self._serve)
            async with anyio.create_task_group() as company:
                company.start_soon(self._watch, told)
                company.start_soon(self._obey)
                company.start_soon(self._announce, write, say)
                async with anyio.create_task_group() as workers:
                    for fleet in self._fleets.values():
                        workers.start_soon(self._work, fleet)
                company.cancel_scope.cancel()
            # Last, so that one can see how the workers end.
            self._dashboard.stop()
        await self._forget()
        say({"event": "stopped"})
        codes = [fleet.code for fleet in self._fleets.values()]
        return next((code for code in (*codes, self._dashboard.code) if code), self._hurried)

    def stop(self) -> None:
        """Have the workers end, and then the rest; asked again, at once."""
        for fleet in self._fleets.values():
            fleet.stop()

    async def _begin(self) -> None:
        """Say how many workers are wanted, or learn it."""
        from lion_broker.mail.verbs import ReadPools, SetWanted

        stored = {one.pool: one.wanted for one in await self._exchange.acall(ReadPools())}
        for pool in self._plan.pools:
            number = self._plan.workers if self._plan.workers is not None else stored.get(pool)
            self._known[pool] = _WORKERS if number is None else self._bounded(pool, number)
            await self._tell_of_company(pool, stored.get(pool))
            await self._exchange.acall(SetWanted(pool, self._known[pool]))
            self._fleets[pool] = self._plan.fleet(pool, self._known[pool])

    async def _tell_of_company(self, pool: str, wanted: int | None) -> None:
        """Say who serves a pool already: their number is theirs, but that of every other `up` follows this one's."""
        from lion_broker.insight.overview import workers_steps
        from lion_broker.mail.exchange import arun

        seen = await arun(self._exchange, workers_steps())
        there = Counter(one.host for one in seen if one.pool == pool and one.state == "running")
        if not there:
            return
        hosts = ", ".join(f"{number} on {host}" for host, number in there.items())
        log.warning("pool %s has workers already (%s): this `up` starts %d beside them", pool, hosts, self._known[pool])
        if wanted is not None and wanted != self._known[pool]:
            now = counted(self._known[pool], "worker")
            log.warning("pool %s: each `up` keeps %s now; wanted before: %d", pool, now, wanted)

    async def _work(self, fleet: Fleet) -> None:
        await fleet.run()
        # Either all were told to end, or this one cannot work.
        self.stop()

    async def _serve(self) -> None:
        await self._dashboard.run()
        if self._dashboard.code:
            self.stop()

    async def _watch(self, told: Signals) -> None:
        log.info("%s: stopping; once more to stop at once", (await anext(told)).name)
        self.stop()
        self._hurried = Code.SIGNAL + await anext(told)
        self.stop()

    async def _obey(self) -> None:
        """Follow what `scale` says, and say how many are left when workers were drained."""
        trouble = ""
        while True:
            await anyio.sleep(_LOOK_SECONDS)
            try:
                await self._compare()
                trouble = ""
            except LionError as error:
                if str(error) != trouble:
                    trouble = str(error)
                    log.warning("how many workers are wanted is not known: %s", error)

    async def _compare(self) -> None:
        from lion_broker.mail.verbs import ReadPools, SetWanted

        stored = {one.pool: one.wanted for one in await self._exchange.acall(ReadPools())}
        for pool, fleet in self._fleets.items():
            wanted = stored.get(pool)
            if fleet.wanted != self._known[pool]:
                self._known[pool] = fleet.wanted
                await self._exchange.acall(SetWanted(pool, max(0, fleet.wanted)))
            elif wanted is not None and wanted != self._known[pool]:
                log.info("pool %s: wanted now: %s, before: %d", pool, counted(wanted, "worker"), self._known[pool])
                self._known[pool] = wanted
                fleet.resize(self._bounded(pool, wanted))

    def _bounded(self, pool: str, wanted: int) -> int:
        """As many as are wanted, or as this machine can bear; what it has is written down by the next look."""
        most = max(_PER_CORE * (os.cpu_count() or 1), self._plan.workers or 0)
        if wanted > most:
            asked = counted(wanted, "worker")
            log.warning("pool %s: %s would be too many for this machine; it has %d", pool, asked, most)
        return min(wanted, most)

    async def _announce(self, write: Callable[[UpState], None], say: Callable[[dict[str, Any]], None]) -> None:
        """Say that it is up, when the workers serve and the dashboard is there."""
        while True:
            if await self._serving():
                break
            await anyio.sleep(_LOOK_SECONDS / 5)
        await self._dashboard.settled.wait()
        write(self._standing())
        say(
            {
                "event": "ready",
                "app": self._plan.registry,
                "workers": {pool: len(fleet.pids) for pool, fleet in self._fleets.items()},
                "dashboard": self._dashboard.address,
                "no_dashboard": self._dashboard.absent,
                "exchange": self._exchange.url,
                "profile": self._exchange.profile,
            }
        )

    async def _serving(self) -> bool:
        from lion_broker.insight.overview import workers_steps
        from lion_broker.mail.exchange import arun

        try:
            seen = await arun(self._exchange, workers_steps())
        except LionError:
            return False
        running = {one.pid for one in seen if one.state == "running" and one.host == socket.gethostname()}
        return all(
            len(fleet.pids) >= self._known[pool] and running.issuperset(fleet.pids)
            for pool, fleet in self._fleets.items()
        )

    async def _forget(self) -> None:
        """Want no workers any more that nobody would start."""
        from lion_broker.mail.verbs import SetWanted

        with suppress(LionError):
            await self._exchange.acall_all([SetWanted(pool, None) for pool in self._plan.pools])

    def _standing(self) -> UpState:
        plan = self._plan
        plain, address = self._dashboard.plain, self._dashboard.address
        pools = tuple(plan.pools)
        return UpState(os.getpid(), self._started, self._exchange.url, plain, plan.registry, pools, address)


async def serve(
    plan: Plan,
    exchange: Exchange,
    write: Callable[[UpState], None],
    say: Callable[[dict[str, Any]], None],
    signals: Signals,
) -> int:
    """Run a deployment to its end; returns the exit code. `write` keeps what is to be known, `say` tells events."""
    try:
        await check_server(exchange)
        return await Deployment(plan, exchange).run(write, say, signals)
    finally:
        await exchange.aclose()
