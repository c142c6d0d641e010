"""`up` and `down`: a whole deployment on this machine, in the foreground or on its own."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from lion_broker.errors import ItemNotFoundError

from .exits import Code
from .options import AsJson, Lease, Namespace, Url, shared_exchange
from .own_command import own_name, own_words, typed_words
from .printing import print_json
from .running import log_to_stderr, run
from .work_options import Concurrency, Grace, Level, LogFormat
from .worker import check_pools

if TYPE_CHECKING:
    from lion_broker.config import Settings

    from .up_state import UpFiles, UpState

__all__ = ["down", "up"]

_LAST_LINES: Final = 5


Registry = Annotated[
    str | None, typer.Option(metavar="MODULE:NAME", help="The Registry of the workers. Default: that of the demo.")
]
Pools = Annotated[
    list[str] | None, typer.Option(metavar="POOL", help="A pool to serve; may be repeated. Default: default.")
]
Workers = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=256,
        metavar="N",
        help="Worker processes of each pool. Default: what `scale` has said, else 2.",
        show_default=False,
    ),
]
Port = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=65535,
        metavar="PORT",
        help="The dashboard's port. Default: 8420, or a free one when that is taken.",
        show_default=False,
    ),
]
Dashboard = Annotated[bool, typer.Option(help="Serve the dashboard, if its packages are installed.")]
Detach = Annotated[bool, typer.Option("--detach", "-d", help="Return when it is up; `down` stops it.")]


def up(
    context: typer.Context,
    app: Registry = None,
    pool: Pools = None,
    workers: Workers = None,
    concurrency: Concurrency = 100,
    grace: Grace = 25.0,
    lease: Lease = None,
    port: Port = None,
    dashboard: Dashboard = True,
    detach: Detach = False,
    address: Annotated[
        bool, typer.Option("--address", help="Start nothing; print where the dashboard of what is up can be opened.")
    ] = False,
    url: Url = None,
    namespace: Namespace = None,
    log_level: Level = "info",
    log_format: LogFormat = None,
    ready_fd: Annotated[int | None, typer.Option(hidden=True)] = None,
    as_json: AsJson = False,
) -> None:
    """Start everything on this machine: the embedded server unless a URL is given, workers, the dashboard.

    Runs until Ctrl-C or SIGTERM, or with --detach on its own until `lion-broker down`. A worker that fails is replaced,
    and `lion-broker scale POOL N` changes how many there are. The first signal has the workers end their turns and
    hand over; a second one drops the turns, which are then done again by whoever comes next.
    Example: lion-broker up --app app:registry --pool readers --workers 4
    """
    from lion_broker.config import Settings

    from .deployment import Plan, serve
    from .up_state import UpFiles

    settings = Settings.load(url=url, namespace=namespace, lease=lease, log_format=log_format)
    pools = list(dict.fromkeys(pool or ["default"]))
    check_pools(pools)
    place = UpFiles(settings)
    if address:
        _tell_address(place, as_json)
        return
    if detach:
        _detach(context, settings, place, as_json)
        return
    log_to_stderr(log_level, settings)
    options = ["--concurrency", str(concurrency), "--grace", str(grace)]
    options += [] if lease is None else ["--lease", str(lease)]
    shared = ["--namespace", settings.namespace, "--log-level", log_level]
    shared += [] if log_format is None else ["--log-format", log_format]
    plan = Plan(settings, app, pools, workers, options, shared, port, dashboard)
    with place.taken() as write:
        if app is not None and not _loads(app, pools, settings, write, partial(_tell_starter, ready_fd)):
            raise typer.Exit(Code.OK)
        with shared_exchange(settings) as exchange:
            raise typer.Exit(run(partial(serve, plan, exchange, write, partial(_say, ready_fd, as_json))))


def down(
    server: Annotated[bool, typer.Option("--server", help="Stop the embedded server as well.")] = False,
    timeout: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="How long it may take; then the exit code is 7.")
    ] = 60.0,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Stop what `up` has started on this machine: workers end their turns and hand over, then the dashboard ends.

    Nothing to stop is no error. Example: lion-broker down --server
    """
    from lion_broker.config import Settings

    from .server import AGAIN
    from .up_state import UpFiles

    settings = Settings.load(namespace=namespace)
    place = UpFiles(settings)
    was_up, running = place.is_taken(), place.read()
    if not place.terminate(timeout):
        raise typer.Exit(_unfinished(place, timeout, as_json))
    stopped = server and _stop_server(running.exchange if running else settings.url or "", settings)
    if as_json:
        print_json({"stopped": was_up, "server_stopped": stopped})
        return
    typer.echo("It is down." if was_up else "Nothing that `up` has started runs here.")
    if server:
        typer.echo(f"The embedded server is stopped. {AGAIN}" if stopped else "No embedded server runs here.")


def _loads(
    app: str,
    pools: Sequence[str],
    settings: Settings,
    write: Callable[[UpState], None],
    tell_starter: Callable[[dict[str, Any]], None],
) -> bool:
    """Try whether workers can load a registry; False when somebody has ended it before. Raises ConfigError."""
    from .loading import check_registry, log
    from .supervise import given_environ
    from .up_state import UpState

    def tell(text: str) -> None:
        log.warning(text)
        tell_starter({"event": "waiting", "message": text})

    # For `down`, which is to find it while it waits.
    write(UpState(os.getpid(), time.time(), "", "", app, tuple(pools)))
    return check_registry(app, given_environ(settings), tell)


def _stop_server(url: str, settings: Settings) -> bool:
    """Stop the embedded server that `up` has worked on, or that a program here would use."""
    from lion_broker.broker.embedded import stop
    from lion_broker.broker.server.directory import directory_of

    return stop(directory_of(url, settings.environ), environ=settings.environ)


def _tell_address(place: UpFiles, as_json: bool) -> None:
    """Print where a browser enters, for whoever has lost sight of what `up` printed."""
    running = place.read()
    if running is None:
        raise ItemNotFoundError("Nothing that `up` has started runs here; `lion-broker up` starts it.")
    if not running.address:
        raise ItemNotFoundError("What is up here has no dashboard, or not yet; `lion-broker gateway` serves one.")
    if as_json:
        print_json({"dashboard": running.address})
    else:
        typer.echo(running.address)


def _unfinished(place: UpFiles, timeout: float, as_json: bool) -> int:
    running = place.read()
    who = f"process {running.pid}" if running else "it"
    text = f"After {timeout:g} s {who} has turns that have not ended. `lion-broker down` again drops them."
    typer.echo(f"Error: {text}", err=True)
    if as_json:
        print_json({"stopped": False, "message": text, "code": Code.UNFINISHED})
    return Code.UNFINISHED


def _say(ready_fd: int | None, as_json: bool, event: dict[str, Any]) -> None:
    """Say that it is up, or has stopped: to whoever started it on its own, to programs, or to people."""
    if ready_fd is not None:
        if event["event"] == "ready":
            _tell_starter(ready_fd, event)
            os.close(ready_fd)
    elif as_json:
        print_json(event)
    elif event["event"] == "ready":
        _show(event, "Ctrl-C")


def _tell_starter(ready_fd: int | None, event: dict[str, Any]) -> None:
    """Say something to whoever has started it on its own, and waits until it is up."""
    if ready_fd is not None:
        os.write(ready_fd, json.dumps(event).encode() + b"\n")


def _show(event: dict[str, Any], end: str) -> None:
    counts = ", ".join(f"{number} in {pool}" for pool, number in event["workers"].items())
    typer.echo(f"Up at {event['exchange']} ({event['profile']}): workers of {event['app']}, {counts}.")
    rows = [
        ("dashboard", event["dashboard"] or event["no_dashboard"]),
        ("look", f"{own_name()} status --watch"),
        ("try", f"{own_name()} demo research --keep"),
        ("stop", end),
    ]
    typer.echo("\n".join(f"  {name:<11}{value}" for name, value in rows))


def _detach(context: typer.Context, settings: Settings, place: UpFiles, as_json: bool) -> None:
    """Start it in a process that outlives this one and its terminal, and wait until it is up."""
    from .supervise import given_environ

    with place.taken():  # raises when it is up already; it is let go at once
        pass
    reading, writing = os.pipe()
    words = own_words("up", *typed_words(context, without=("detach", "url", "as_json")), "--ready-fd", str(writing))
    place.log.touch(0o600)
    with place.log.open("wb") as log, os.fdopen(reading) as told:
        process = subprocess.Popen(  # noqa: S603 - the project's own command line
            words,
            env=given_environ(settings),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[writing],
            start_new_session=True,
        )
        os.close(writing)
        try:
            while (line := told.readline()) and (event := json.loads(line))["event"] == "waiting":
                typer.echo(event["message"], err=True)
        except BaseException:
            process.terminate()
            raise
    if not line:
        raise typer.Exit(_failed(process.wait(), place.log, as_json))
    event = {**event, "pid": process.pid, "log": str(place.log)}
    if as_json:
        print_json(event)
    else:
        _show(event, f"{own_name()} down")
        typer.echo(f"  {'log':<11}{place.log}")


def _failed(code: int, log: Path, as_json: bool) -> int:
    """Say why it did not come up; returns the exit code."""
    text = f"It did not come up: {_end_of(log)}"
    typer.echo(f"Error: {text}", err=True)
    if as_json:
        print_json({"error": "LionError", "message": text, "code": code})
    return code if code > 0 else Code.ERROR


def _end_of(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()
    errors = [line.removeprefix("Error: ") for line in lines if line.startswith("Error: ")]
    return " ".join(errors[-1:] or lines[-_LAST_LINES:]) or f"{log} is empty."
