"""`gateway`: the dashboard as a process of its own, from its options to its end."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from lion_broker.errors import ConfigError
from lion_broker.telemetry import logger

from .exits import Code
from .options import AsJson, Namespace, Url, shared_exchange
from .printing import print_json
from .running import Signals, check_server, log_to_stderr, run
from .work_options import Level, LogFormat

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from uvicorn import Server

    from lion_broker.config import Settings
    from lion_broker.mail.exchange import Exchange

__all__ = ["check_installed", "gateway"]

log = logger("cli")

PORT: Final = 8420
_NEEDED: Final = ("jinja2", "starlette", "uvicorn")
_GRACE_SECONDS: Final = 5


def gateway(
    host: Annotated[str, typer.Option(metavar="HOST", help="Where it listens; 0.0.0.0 is everywhere.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, metavar="PORT", help="Its port; 0 is any free one.")] = PORT,
    read_only: Annotated[bool, typer.Option("--read-only", help="Show everything, change nothing.")] = False,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="A name that browsers call it by, such as that of a proxy before it; may be repeated."
        ),
    ] = None,
    open_metrics: Annotated[
        bool, typer.Option("--open-metrics", help="Answer /metrics without the token, for a Prometheus that has none.")
    ] = False,
    url: Url = None,
    namespace: Namespace = None,
    log_level: Level = "info",
    log_format: LogFormat = None,
    as_json: AsJson = False,
) -> None:
    """Serve the dashboard.

    Runs until SIGTERM or Ctrl-C. Who comes in needs the token in LION_BROKER_DASHBOARD_TOKEN (or _FILE); without one a
    token is made, and the address that is printed has it. With --json a line on stdout says when it is ready. Beside
    the pages it answers /livez and /readyz to anybody, and /metrics and /scale/POOL to programs with the token.
    """
    from lion_broker.config import Settings

    check_installed("The gateway")
    settings = Settings.load(url=url, namespace=namespace, log_format=log_format)
    log_to_stderr(log_level, settings)
    token, made = _token(settings)
    with _listening(host, port) as listener, shared_exchange(settings) as exchange:
        from lion_broker.dashboard import dashboard

        names = {*(allow_host or ()), host, socket.gethostname()}
        pages = dashboard(
            exchange, namespace=settings.namespace, token=token, read_only=read_only, hosts=names, always=True
        )
        address = _address(host, listener)
        shown = f"{address}/login#{token}" if made else f"{address}/"
        raise typer.Exit(run(partial(_serve, pages, exchange, listener, shown, as_json, open_metrics)))


def check_installed(what: str) -> None:
    """Raise ConfigError that names the extra when a part of it is missing, which `what` needs."""
    if missing := [name for name in _NEEDED if find_spec(name) is None]:
        raise ConfigError(
            f"{what} needs {' and '.join(missing)}, which the extra brings: pip install 'lion-broker[dashboard]'."
        )


def _token(settings: Settings) -> tuple[str, bool]:
    """The token that lets people in, and whether it was made just now."""
    found = settings.secret_named("LION_BROKER_DASHBOARD_TOKEN")
    return (secrets.token_urlsafe(24), True) if found is None else (found.get_secret_value(), False)


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens, before anything is started for it; raises ConfigError with what is in the way."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        raise ConfigError(
            f"Nothing can listen at {host} port {port}: {error.strerror}. Give another --port (0 takes a free one) or"
            " --host. Where `lion-broker up` runs, `lion-broker up --address` says where its dashboard is."
        ) from None
    with listener:
        yield listener


def _address(host: str, listener: socket.socket) -> str:
    """The URL under which a browser on this machine finds it."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{shown}:{listener.getsockname()[1]}"


async def _serve(
    pages: Starlette,
    exchange: Exchange,
    listener: socket.socket,
    shown: str,
    as_json: bool,
    open_metrics: bool,
    signals: Signals,
) -> int:
    """Serve until a signal; returns the exit code."""
    import anyio

    from lion_broker.dashboard.gateway import gateway as served

    try:
        await check_server(exchange)
        server = _server(served(pages, open_metrics=open_metrics))
        async with anyio.create_task_group() as group:

            async def stop() -> None:
                log.info("%s: stopping", (await anext(signals)).name)
                # Streams would go on for ever, and keep the server from its end.
                pages.state.console.end()
                server.should_exit = True

            group.start_soon(stop)
            _tell_ready(shown, exchange, as_json)
            await server.serve([listener])
            group.cancel_scope.cancel()
    finally:
        await exchange.aclose()
    if as_json:
        print_json({"event": "stopped"})
    return Code.OK


def _server(app: Any) -> Server:
    from uvicorn import Config, Server

    class Quiet(Server):
        """A server whose signals are somebody else's business."""

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    # Addresses that are asked for may be nobody's business; and what is refused is said to who asked.
    config = Config(
        app,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    return Quiet(config)


def _tell_ready(shown: str, exchange: Exchange, as_json: bool) -> None:
    if as_json:
        print_json({"event": "ready", "url": shown, "exchange": exchange.url, "profile": exchange.profile})
    else:
        typer.echo(f"Dashboard: {shown}")
    log.info("ready: the dashboard of %r", exchange)
