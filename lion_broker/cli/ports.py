"""The ports of a worker: probes of its health, and its metrics."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated

import anyio
import typer

if TYPE_CHECKING:
    from lion_broker.config import Settings
    from lion_broker.mail.exchange import Exchange
    from lion_broker.telemetry.counts import Family
    from lion_broker.telemetry.port import Page, Pages
    from lion_broker.worker.health import HealthMonitor
    from lion_broker.worker.worker import Worker

__all__ = ["HealthPort", "MetricsPort", "Ports", "StalledAfter", "open_ports"]

HealthPort = Annotated[
    str | None,
    typer.Option(
        metavar="[HOST:]PORT",
        help="Answer /livez, /readyz and /metrics there; 0 is any free port, which the log names. Without HOST only"
        " programs of this machine may ask.",
    ),
]
MetricsPort = Annotated[
    str | None, typer.Option(metavar="[HOST:]PORT", help="Answer /metrics there, and nothing else.")
]
StalledAfter = Annotated[
    float | None,
    typer.Option(
        min=0.5,
        max=86_400,
        metavar="SECONDS",
        help="How long work may wait without a commit before it is not ready, and its event loop stand still before it"
        " is not live. Default: LION_BROKER_STALLED_AFTER, else 60.",
        show_default=False,
    ),
]


@dataclass(slots=True)
class Ports:
    """The open ports of a worker, by what they are for, and what watches its health."""

    urls: dict[str, str] = field(default_factory=dict)
    monitor: HealthMonitor | None = None

    async def beside(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do the work with its health watched."""
        if self.monitor is None:
            await work()
            return
        async with anyio.create_task_group() as group:
            group.start_soon(self.monitor.run)
            await work()
            group.cancel_scope.cancel()


@contextmanager
def open_ports(settings: Settings, worker: Worker, exchange: Exchange) -> Iterator[Ports]:
    """Open the ports that the settings name, for the length of a block; raises ConfigError before anything is served.

    Who may ask learns how much a worker does, and nothing of what is said in its mail.
    """
    if not settings.health_port and not settings.metrics_port:
        yield Ports()
        return
    from lion_broker.telemetry.counts import counting
    from lion_broker.telemetry.exposition import check_prometheus
    from lion_broker.telemetry.port import Port, checked_address
    from lion_broker.worker.health import HealthMonitor

    monitor = HealthMonitor(
        lambda: worker.state, exchange, patience=settings.patience, stalled_after=settings.stalled_after
    )
    ports = Ports(monitor=monitor)

    def metrics(accept: str) -> Page:
        return _metrics(worker, monitor, accept)

    health: Pages = {"/livez": lambda _: monitor.live(), "/readyz": lambda _: monitor.ready(), "/metrics": metrics}
    wanted = {
        "metrics": (settings.metrics_port, {"/metrics": metrics}),
        "health": (settings.health_port, health),
    }
    if settings.metrics_port:
        check_prometheus()
    counting()
    with ExitStack() as stack:
        for name, (address, pages) in wanted.items():
            if address:
                option = f"--{name}-port"
                port = Port(checked_address(address, option), pages, option)
                stack.callback(port.close)
                ports.urls[name] = port.url
        yield ports


def _metrics(worker: Worker, monitor: HealthMonitor, accept: str) -> Page:
    from lion_broker.errors import ConfigError
    from lion_broker.telemetry.exposition import metrics_page
    from lion_broker.telemetry.port import Page

    try:
        return Page(*metrics_page(accept, lambda: _gauges(worker, monitor)))
    except ConfigError as error:
        return Page(f"{error}\n".encode(), "text/plain; charset=utf-8", 501)


def _gauges(worker: Worker, monitor: HealthMonitor) -> Iterable[Family]:
    from lion_broker.telemetry.exposition import gauge

    state = worker.state
    yield gauge("lion_broker_worker_info", (1, (version("lion-broker"), state.owner)))
    yield gauge("lion_broker_worker_inflight", (state.active, ()))
    yield gauge("lion_broker_worker_late_seconds", (state.late, ()))
    yield gauge("lion_broker_worker_last_heartbeat_timestamp_seconds", (monitor.heard_at, ()))
