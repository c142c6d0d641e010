"""`worker --processes` and `--reload`: a process that does no work itself and keeps those that do."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import anyio

from lion_broker.core.numbers import counted
from lion_broker.errors import ConfigError
from lion_broker.telemetry import logger

from .exits import Code
from .file_changes import folders_of, watch
from .fleet import Fleet
from .loading import check_registry
from .own_command import own_words, typed_words
from .running import Signals, on_eof, run, until_told

if TYPE_CHECKING:
    import typer

    from lion_broker.config import Settings

__all__ = ["given_environ", "supervise"]

log = logger("cli")

_OURS = ("processes", "reload", "until_eof", "url")


def supervise(
    context: typer.Context, settings: Settings, app: str, processes: int, reload: bool, until_eof: bool
) -> int:
    """Keep so many worker processes with the options that were typed; returns the exit code.

    Raises ConfigError for a port that all of them would want, and for a registry that none of them could load.
    """
    for option, address in (("--health-port", settings.health_port), ("--metrics-port", settings.metrics_port)):
        if processes > 1 and address and address.rpartition(":")[2] != "0":
            raise ConfigError(
                f"{option} {address} can be that of one process only. Give 0 for a free port each, which the log names,"
                f" or start {counted(processes, 'worker')} with ports of their own."
            )
    # With --reload it may become right with the next change of a file.
    if not reload and not check_registry(app, given_environ(settings)):
        return Code.OK
    words = own_words("worker", *typed_words(context, without=_OURS), "--until-eof")
    fleet = Fleet(words, given_environ(settings), processes, patient=reload)
    return run(partial(_serve, fleet, app if reload else "", until_eof))


def given_environ(settings: Settings) -> dict[str, str]:
    """Return the environment for processes that are to find what these settings name; options win."""
    from lion_broker.config import PREFIX

    # Not as an option: a URL may hold a password, and the list of processes is for everybody.
    url = {f"{PREFIX}URL": settings.url} if settings.url is not None else {}
    return {**settings.environ, **url}


async def _serve(fleet: Fleet, app: str, until_eof: bool, signals: Signals) -> int:
    """Keep the processes until signals, the end of stdin, or their own end; the second signal is passed on, too."""
    if until_eof:
        on_eof(fleet.stop)
    async with anyio.create_task_group() as group:
        if app:
            group.start_soon(watch, folders_of(app), _renewing(fleet))
        code = await until_told(fleet.run, fleet.stop, signals, fleet.stop)
        group.cancel_scope.cancel()
    return fleet.code or code


def _renewing(fleet: Fleet) -> Callable[[str], None]:
    def renew(path: str) -> None:
        log.info("%s has changed: worker processes are replaced", path)
        fleet.renew()

    return renew
