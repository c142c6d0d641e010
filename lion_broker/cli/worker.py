"""`worker` and `sweeper`: the processes of a deployment, from their options to their end."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Final

import anyio
import typer

from lion_broker.core.numbers import counted
from lion_broker.errors import ConfigError
from lion_broker.telemetry import logger

from .exits import Code
from .options import AsJson, Lease, Namespace, Url, shared_exchange
from .ports import HealthPort, MetricsPort, Ports, StalledAfter, open_ports
from .printing import ago, print_json
from .running import Signals, log_to_stderr, on_eof, run, server_answers, until_told
from .work_options import App, Batch, Concurrency, Grace, Level, LogFormat, Pool, Processes, Reload, UntilEof

if TYPE_CHECKING:
    from lion_broker.branch.registry import Registry
    from lion_broker.mail.exchange import Exchange
    from lion_broker.worker.sweeper import Sweeper
    from lion_broker.worker.worker import Worker

__all__ = ["check_pools", "sweeper", "worker"]

log = logger("cli")
_CLOCK_SECONDS: Final = 5.0


def worker(
    context: typer.Context,
    app: App,
    pool: Pool = "default",
    concurrency: Concurrency = 100,
    batch: Batch = 200,
    lease: Lease = None,
    grace: Grace = 25.0,
    until_idle: Annotated[bool, typer.Option("--until-idle", help="Stop when nothing waits any more.")] = False,
    until_eof: UntilEof = False,
    processes: Processes = 1,
    reload: Reload = False,
    url: Url = None,
    namespace: Namespace = None,
    health_port: HealthPort = None,
    metrics_port: MetricsPort = None,
    stalled_after: StalledAfter = None,
    log_level: Level = "info",
    log_format: LogFormat = None,
    as_json: AsJson = False,
) -> None:
    """Host the branches of a pool.

    Runs until SIGTERM or Ctrl-C; any number of workers share a pool. The first signal ends its turns, hands its
    branches over and exits with 0; a second one drops the turns, which others then do again. With --json a line on
    stdout says when it is ready, and one what it has done.
    Example: lion-broker worker --app app:registry --pool readers
    """
    from lion_broker.config import Settings
    from lion_broker.worker import collector
    from lion_broker.worker.worker import Worker

    settings = Settings.load(
        url=url,
        namespace=namespace,
        lease=lease,
        health_port=health_port,
        metrics_port=metrics_port,
        stalled_after=stalled_after,
        log_format=log_format,
    )
    log_to_stderr(log_level, settings)
    check_pools([pool])
    if processes > 1 or reload:
        from .supervise import supervise

        raise typer.Exit(supervise(context, settings, app, processes, reload, until_eof))
    registry = _registry(app)
    with shared_exchange(settings) as exchange:
        made = Worker(
            registry,
            exchange=exchange,
            pool=pool,
            concurrency=concurrency,
            batch=batch,
            grace=grace,
            lease=settings.lease,
        )
        collector.settle()
        with open_ports(settings, made, exchange) as ports:
            raise typer.Exit(run(partial(_serve, made, exchange, ports, until_idle, until_eof, as_json)))


def sweeper(
    pool: Annotated[list[str] | None, typer.Option(metavar="POOL", help="A pool to sweep; may be repeated.")] = None,
    lease: Lease = None,
    once: Annotated[bool, typer.Option("--once", help="Sweep once, say what was found, and stop.")] = False,
    url: Url = None,
    namespace: Namespace = None,
    log_level: Level = "info",
    log_format: LogFormat = None,
    as_json: AsJson = False,
) -> None:
    """Give the branches of dead workers to others.

    Runs until SIGTERM or Ctrl-C. Every worker sweeps its own pool already; this is for pools that have no worker at
    times.
    """
    from lion_broker.config import Settings
    from lion_broker.worker.sweeper import Sweeper

    settings = Settings.load(url=url, namespace=namespace, lease=lease, log_format=log_format)
    log_to_stderr(log_level, settings)
    pools = pool or ["default"]
    check_pools(pools)
    with shared_exchange(settings) as exchange:
        made = {name: Sweeper(exchange, name, int(settings.lease * 1000)) for name in pools}
        raise typer.Exit(run(partial(_sweep, made, exchange, once, as_json)))


def check_pools(pools: Sequence[str]) -> None:
    """Raise ConfigError for a name that no pool can have, before anything is started for it."""
    from lion_broker.mail.checks import check
    from lion_broker.mail.verbs import Sweep

    for pool in pools:
        try:
            check(Sweep(pool))
        except ConfigError as error:
            raise ConfigError(f"--pool {str(error).removeprefix('Sweep.pool ')}") from None


def _registry(app: str) -> Registry:
    """Load a registry, which may last; Ctrl-C is the usual end meanwhile, too."""
    from .loading import load_registry, told_when_slow

    with told_when_slow(app):
        try:
            return load_registry(app)
        except KeyboardInterrupt:
            raise typer.Exit(Code.OK) from None


async def _serve(
    worker: Worker, exchange: Exchange, ports: Ports, until_idle: bool, until_eof: bool, as_json: bool, signals: Signals
) -> int:
    """Run a worker to its end; returns the exit code."""
    if until_eof:
        on_eof(worker.stop)
    code: int = Code.OK
    work = partial(ports.beside, partial(worker.run, until_idle=until_idle))
    try:
        if await server_answers(exchange, signals, lambda: worker.state.stopping):
            await _look_at_clock(exchange)
            _say_ready(worker, exchange, ports, as_json)
            code = await until_told(work, worker.stop, signals)
    finally:
        await worker.aclose()
        await exchange.aclose()
    if as_json:
        done = worker.state
        print_json({"event": "stopped", "turns": done.turns, "mails": done.mails, "rescued": done.rescued})
    return code


async def _look_at_clock(exchange: Exchange) -> None:
    """Warn of a clock that is off: work goes by the server's, but ids and ages of mail by that of who has sent it."""
    from lion_broker.mail.verbs import ReadWorkers

    roll = await exchange.acall(ReadWorkers(1))
    if warning := clock_warning(time.time() - roll.now / 1000):
        log.warning("%s", warning)


def clock_warning(seconds: float) -> str:
    """Return what is to be said of a clock that is so far ahead of the server's; nothing of one that is near enough."""
    if abs(seconds) < _CLOCK_SECONDS:
        return ""
    way = "ahead of" if seconds > 0 else "behind"
    return (
        f"the clock of this machine is {ago(abs(seconds))} {way} the server's: mail is handled as ever, but what is"
        " sent from here stands in lists with a wrong age and in a wrong place. Set the clock, by NTP for example."
    )


def _say_ready(worker: Worker, exchange: Exchange, ports: Ports, as_json: bool) -> None:
    owner, pool = worker.state.owner, worker.state.pool
    log.info("ready: worker %s serves pool %s on %r", owner, pool, exchange)
    for name, where in ports.urls.items():
        log.info("%s at %s", name, where)
    if as_json:
        said = {"exchange": exchange.url, "profile": exchange.profile, **ports.urls}
        print_json({"event": "ready", "owner": owner, "pool": pool, **said})


async def _sweep(
    sweepers: Mapping[str, Sweeper], exchange: Exchange, once: bool, as_json: bool, signals: Signals
) -> int:
    """Sweep pools once, or until a signal; returns the exit code."""
    try:
        if not await server_answers(exchange, signals):
            return Code.UNFINISHED if once else Code.OK
        if once:
            for one in sweepers.values():
                await one.sweep()
        else:
            log.info("ready: sweeping %s on %r", ", ".join(sweepers), exchange)
            async with anyio.create_task_group() as group:
                for one in sweepers.values():
                    group.start_soon(one.run)
                await anext(signals)
                group.cancel_scope.cancel()
    finally:
        await exchange.aclose()
    given = {name: one.renewed for name, one in sweepers.items()}
    if as_json:
        print_json({"given_to_others": given})
    elif once:
        typer.echo("\n".join(f"{name}: {counted(count, 'branch')} given to others" for name, count in given.items()))
    return Code.OK
