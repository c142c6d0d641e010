"""`scale`: how many workers a pool is to have."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Final

import typer

from lion_broker.core.numbers import counted
from lion_broker.errors import ConfigError

from . import completion
from .auditing import note
from .listing import Column, Listing, told
from .options import AsJson, Namespace, Url, exchange_at
from .printing import ago, print_json

if TYPE_CHECKING:
    from lion_broker.insight.views import PoolView
    from lion_broker.mail.exchange import Exchange

    from .up_state import UpState

__all__ = ["scale"]

_COLUMNS: Final = (
    Column("pool", kind="name"),
    Column("workers", kind="number"),
    Column("wanted", kind="number"),
    Column("ready", kind="number"),
    Column("claimed", kind="number", spare=1),
    Column("oldest", lambda row: ago(row["oldest_seconds"]), kind="number"),
)
_MOST: Final = 1000
_NAMED: Final = 5
_NOTHING: Final = "No pool has workers, or work. `lion-broker up` starts some."


def scale(
    pool: Annotated[
        str | None,
        typer.Argument(metavar="POOL", help="A pool. Default: all are shown.", autocompletion=completion.pools),
    ] = None,
    number: Annotated[
        int | None, typer.Argument(metavar="N", help=f"How many workers it is to have: 0 to {_MOST:,}.")
    ] = None,
    forget: Annotated[bool, typer.Option("--forget", help="Say no more how many workers the pool is to have.")] = False,
    url: Url = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Show how many workers pools have and are to have, or say how many one is to have.

    A running `lion-broker up` starts workers for the pool, or lets some end their turns and stop; of several that serve
    it, each keeps so many. The number is kept at the server, for other programs that start workers to read:
    `lion-broker scale --json`.
    Example: lion-broker scale readers 8
    """
    if pool is None and forget:
        raise ConfigError("--forget needs the POOL that it is meant for.")
    if number is not None and forget:
        raise ConfigError("Give N, or --forget; not both.")
    if number is not None and not 0 <= number <= _MOST:
        raise ConfigError(f"A number of workers is 0 or more, and at most {_MOST:,}; {number} is none.")
    with exchange_at(url, namespace) as exchange:
        if pool is not None and (forget or number is not None):
            _set(exchange, pool, number)
        everything = _pools(exchange)
    found = everything if pool is None else [_of(everything, pool)]
    if as_json:
        print_json(list(map(asdict, found)))
    elif pool is not None and (forget or number is not None):
        served = [one.pool for one in everything if one.workers]
        typer.echo(_told(found[0], _up_here(url, namespace, exchange.url), served))
    else:
        told(Listing(list(map(asdict, found)), _COLUMNS, _NOTHING), "table")


def _up_here(url: str | None, namespace: str | None, exchange: str) -> UpState | None:
    """The `up` of this data directory, if it runs and is at that exchange."""
    from lion_broker.config import Settings

    from .up_state import UpFiles

    running = UpFiles(Settings.load(url=url, namespace=namespace)).read()
    return running if running is not None and running.exchange == exchange else None


def _told(pool: PoolView, up: UpState | None, served: list[str]) -> str:
    """What was said about a pool, who heeds it, and what to do where nobody does."""
    if pool.wanted is None:
        said = f"How many workers the pool {pool.pool} is to have is not said any more; each `up` keeps those it has."
    else:
        said = f"Each `up` that serves the pool {pool.pool} is to keep {counted(pool.wanted, 'worker')}."
    if pool.workers:
        return f"{said} {pool.workers} serve{'s' if pool.workers == 1 else ''} it now."
    if not pool.wanted:
        return said
    if up is not None and pool.pool in up.pools:
        return f"{said} The one of this machine (process {up.pid}) sees to it: lion-broker status"
    # It may be a slip in the name.
    others = f" (pools with workers: {', '.join(served[:_NAMED])})" if served else ""
    return f"{said} Nobody serves it now{others}: lion-broker up --app MODULE:NAME --pool {pool.pool}"


def _set(exchange: Exchange, pool: str, number: int | None) -> None:
    from lion_broker.mail.checks import check
    from lion_broker.mail.verbs import SetWanted

    try:
        check(SetWanted(pool, number))
        note(exchange, "scale pool", f"pool {pool}", "no number any more" if number is None else f"to {number}")
        exchange.call(SetWanted(pool, number))
    except ConfigError as error:
        raise ConfigError(f"POOL {str(error).removeprefix('SetWanted.pool ')}") from None


def _pools(exchange: Exchange) -> list[PoolView]:
    """Return all pools."""
    from lion_broker.insight.overview import pools_steps
    from lion_broker.mail.exchange import run

    return list(run(exchange, pools_steps()))


def _of(found: list[PoolView], pool: str) -> PoolView:
    """The pool of a name, whether or not it has anything."""
    from lion_broker.insight.views import PoolView

    return next((one for one in found if one.pool == pool), PoolView(pool, 0, 0, 0.0, 0, 0))
