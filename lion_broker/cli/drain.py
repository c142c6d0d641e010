"""`drain`: workers end their turns, hand their branches over, and exit."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Final

import typer

from lion_broker.core.numbers import counted
from lion_broker.errors import ConfigError, ItemNotFoundError

from . import completion
from .auditing import listed, note
from .exits import Code
from .options import AsJson, Namespace, Url, exchange_at
from .printing import cell, print_json

if TYPE_CHECKING:
    from lion_broker.insight.views import WorkerView
    from lion_broker.mail.exchange import Exchange

__all__ = ["drain"]

_LIVE: Final = ("running", "draining")
_PAUSE_SECONDS: Final = 0.2


def drain(
    worker: Annotated[
        str | None,
        typer.Argument(
            metavar="WORKER",
            help="A worker as `status` names it, or the beginning of its name.",
            autocompletion=completion.workers,
        ),
    ] = None,
    pool: Annotated[
        str | None, typer.Option(metavar="POOL", help="All workers of a pool.", autocompletion=completion.pools)
    ] = None,
    release: Annotated[
        str | None,
        typer.Option(
            "--version",
            metavar="VERSION",
            help="All workers of a version of lion-broker; with --pool, those of the pool.",
            autocompletion=completion.versions,
        ),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All workers of the namespace.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Return when they have stopped.")] = False,
    timeout: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="How long --wait may take; then the exit code is 7.")
    ] = 60.0,
    url: Url = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Have workers end their turns, hand their branches over and exit with 0; nothing is lost.

    Each learns it with its next heartbeat, at most three seconds later. Those that start afterwards are not meant.
    `lion-broker up` starts no others in their place, unlike Compose and Kubernetes.
    Example: lion-broker drain --pool readers --wait
    """
    if sum((worker is not None, pool is not None or release is not None, everything)) != 1:
        raise ConfigError(
            "Say which workers: WORKER, as `lion-broker status` names it, or --pool POOL, --version VERSION, or --all."
        )
    with exchange_at(url, namespace) as exchange:
        chosen = _chosen(_workers(exchange), worker, pool, release)
        _order(exchange, chosen)
        if wait and chosen:
            typer.echo(f"Told {counted(len(chosen), 'worker')} to drain; waiting until they have stopped.", err=True)
        left, lost = _awaited(exchange, chosen, timeout, as_json) if wait else (chosen, [])
    if as_json:
        stopped = [one for one in chosen if one not in (*left, *lost)]
        print_json({"told": chosen, "stopped": stopped, "lost": lost, "left": left})
    elif chosen:
        _tell(chosen, left, wait)
    else:
        typer.echo(_nobody(exchange.url, pool, release))
    if wait and (left or lost):
        raise typer.Exit(Code.UNFINISHED if left else Code.ERROR)


def _workers(exchange: Exchange) -> tuple[WorkerView, ...]:
    from lion_broker.insight.overview import workers_steps
    from lion_broker.mail.exchange import run

    return run(exchange, workers_steps())


def _chosen(workers: Sequence[WorkerView], name: str | None, pool: str | None, release: str | None) -> list[str]:
    """Return the owners that are meant; raises ItemNotFoundError for a name or a version that none or several have."""
    live = [one for one in workers if one.state in _LIVE and pool in (None, one.pool)]
    if release is not None:
        return _of_version(live, release)
    if name is None:
        return [one.owner for one in live]
    found = [one.owner for one in live if name and one.owner.startswith(name)]
    if name in found:
        return [name]
    if len(found) > 1:
        raise ItemNotFoundError(
            f"{counted(len(found), 'worker')} have names that begin with {name}; give more of the name."
        )
    if not found:
        gone = next((one for one in workers if name and one.owner.startswith(name)), None)
        known = f"It is {gone.state}." if gone else "`lion-broker status` names those that there are."
        raise ItemNotFoundError(f"No worker {name} is at work. {known}")
    return found


def _of_version(live: Sequence[WorkerView], release: str) -> list[str]:
    """Return the owners of a version; one that nobody has may be a slip, and says which there are."""
    found = [one.owner for one in live if one.version == release]
    there = ", ".join(sorted({one.version for one in live}))
    if there and not found:
        raise ItemNotFoundError(f"No worker of version {release} is at work there; those that are have {there}.")
    return found


def _order(exchange: Exchange, owners: list[str]) -> None:
    from lion_broker.mail.verbs import OrderWorkers

    if owners:
        note(exchange, "drain workers", "namespace", listed(owners))
        exchange.call(OrderWorkers(tuple(owners)))


def _awaited(exchange: Exchange, owners: list[str], timeout: float, as_json: bool) -> tuple[list[str], list[str]]:
    """Wait as `_wait` does; who ends the waiting hears that the workers drain all the same."""
    try:
        return _wait(exchange, owners, timeout, tells=not as_json)
    except KeyboardInterrupt:
        typer.echo(
            "No longer waited for: they drain all the same. `lion-broker status` shows how far they are.", err=True
        )
        raise


def _wait(exchange: Exchange, owners: list[str], timeout: float, *, tells: bool) -> tuple[list[str], list[str]]:
    """Wait until workers have stopped, telling of each as it does.

    Returns those that have not, and those that were lost on the way.
    """
    end = time.monotonic() + timeout
    open_ = list(owners)
    while True:
        states = {one.owner: one.state for one in _workers(exchange)}
        # One that the register has forgotten has stopped a while ago.
        left = [owner for owner in owners if states.get(owner) in _LIVE]
        lost = [owner for owner in owners if states.get(owner) == "lost"]
        if tells:
            _tell_ended([owner for owner in open_ if owner not in left], lost)
        open_ = left
        if not left or time.monotonic() >= end:
            return left, lost
        time.sleep(_PAUSE_SECONDS)


def _nobody(url: str, pool: str | None, release: str | None) -> str:
    """Nobody had to be drained: that is what was wanted, but another server or a slip in a name looks the same."""
    which = "" if pool is None else f" of the pool {cell(pool)}"
    which += "" if release is None else f" of version {cell(release)}"
    return (
        f"No worker{which} is at work at {url}, so there is nobody to drain. `lion-broker status` shows the workers and"
        " pools that there are; `lion-broker up` or `lion-broker worker` starts workers."
    )


def _tell_ended(owners: list[str], lost: list[str]) -> None:
    for owner in owners:
        how = "was lost; when its leases have ended, others have its branches" if owner in lost else "has stopped"
        typer.echo(f"{cell(owner)} {how}.")


def _tell(chosen: list[str], left: list[str], waited: bool) -> None:
    for owner in left:
        typer.echo(f"{cell(owner)} is still at work." if waited else f"{cell(owner)} is told to drain.")
