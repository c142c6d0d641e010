"""`scale`: how many workers a pool is to have."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from lion_broker.errors import ConfigError

from . import completion
from .noting import note
from .options import AsJson, Namespace, Url, exchange_at
from .printing import ago, counted, print_json, print_rows

if TYPE_CHECKING:
    from lion_broker.insight.pictures import PoolPicture
    from lion_broker.mail.exchange import Exchange

__all__ = ["scale"]


def scale(
    pool: Annotated[
        str | None,
        typer.Argument(metavar="POOL", help="A pool. Default: all are shown.", autocompletion=completion.pools),
    ] = None,
    number: Annotated[
        int | None, typer.Argument(metavar="N", min=0, max=1000, help="How many workers it is to have.")
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
    with exchange_at(url, namespace) as exchange:
        if pool is not None and (forget or number is not None):
            _set(exchange, pool, number)
        found = _pools(exchange, pool)
    if as_json:
        print_json([_plain(one) for one in found])
    elif pool is not None and (forget or number is not None):
        typer.echo(_told(found[0]))
    else:
        print_rows([_row(one) for one in found], False, "No pool has workers, or work. `lion-broker up` starts some.")


def _told(pool: PoolPicture) -> str:
    """What was said about a pool, who heeds it, and what to do where nobody does."""
    if pool.wanted is None:
        said = f"How many workers the pool {pool.pool} is to have is not said any more; each `up` keeps those it has."
    else:
        said = f"Each `up` that serves the pool {pool.pool} is to keep {counted(pool.wanted, 'worker')}."
    if pool.workers:
        return f"{said} {pool.workers} serve{'s' if pool.workers == 1 else ''} it now."
    if not pool.wanted:
        return said
    return f"{said} Nobody serves it now: lion-broker up --app MODULE:NAME --pool {pool.pool}"


def _set(exchange: Exchange, pool: str, number: int | None) -> None:
    from lion_broker.mail.checks import check
    from lion_broker.mail.verbs import SetWanted

    try:
        check(SetWanted(pool, number))
        note(exchange, "scale pool", f"pool {pool}", "no number any more" if number is None else f"to {number}")
        exchange.call(SetWanted(pool, number))
    except ConfigError as error:
        raise ConfigError(f"POOL {str(error).removeprefix('SetWanted.pool ')}") from None


def _pools(exchange: Exchange, pool: str | None) -> list[PoolPicture]:
    """Return all pools, or the one of a name, whether or not it has anything."""
    from lion_broker.insight.overview import pools_steps
    from lion_broker.insight.pictures import PoolPicture
    from lion_broker.mail.exchange import run

    found = run(exchange, pools_steps())
    if pool is None:
        return list(found)
    return [next((one for one in found if one.pool == pool), PoolPicture(pool, 0, 0, 0.0, 0, 0))]


def _row(pool: PoolPicture) -> dict[str, object]:
    return {
        "pool": pool.pool,
        "workers": pool.workers,
        "wanted": pool.wanted,
        "ready": pool.ready,
        "claimed": pool.claimed,
        "oldest": ago(pool.oldest_seconds),
    }


def _plain(pool: PoolPicture) -> dict[str, object]:
    return asdict(pool)
