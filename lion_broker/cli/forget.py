"""`forget`: workers that were lost stand in `status` no longer."""

from __future__ import annotations

from typing import Annotated

import typer

from lion_broker.core.numbers import counted
from lion_broker.errors import ConfigError, ItemNotFoundError

from . import completion
from .auditing import listed, note
from .options import AsJson, Namespace, Url, exchange_at
from .printing import cell, print_json

__all__ = ["forget"]


def forget(
    worker: Annotated[
        str | None,
        typer.Argument(
            metavar="WORKER",
            help="A worker as `status` names it, or the beginning of its name.",
            autocompletion=completion.lost_workers,
        ),
    ] = None,
    everyone: Annotated[bool, typer.Option("--all", help="All that were lost or have stopped.")] = False,
    url: Url = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Have a worker that was lost stand in `status` no longer; by itself it leaves ten minutes after it was last heard.

    Nothing else changes: what it had in hand goes to others of its pool as soon as its leases are over. Should it be
    heard of again, it is shown again. One that is at work is not forgotten, but drained.
    Example: lion-broker forget --all
    """
    from lion_broker.insight.overview import workers_steps
    from lion_broker.mail.exchange import run
    from lion_broker.worker.forgetting import GONE, forget_steps

    if (worker is None) != everyone:
        raise ConfigError("Say which worker, as `lion-broker status` names it, or --all; one of the two.")
    with exchange_at(url, namespace) as exchange:
        seen = run(exchange, workers_steps())
        meant = [one for one in seen if everyone or (worker and one.owner.startswith(worker))]
        meant = [one for one in meant if one.owner == worker] or meant
        gone = [one.owner for one in meant if one.state in GONE]
        if not everyone and len(gone) != 1:
            raise ItemNotFoundError(_which(worker or "", [one.state for one in meant], len(gone)))
        if gone:
            note(exchange, "forget workers", "namespace", listed(gone))
        done = run(exchange, forget_steps(gone))
    if as_json:
        print_json({"forgotten": list(done)})
    else:
        typer.echo("\n".join(f"Forgot {cell(one)}." for one in done) or "No worker was lost.")


def _which(name: str, states: list[str], gone: int) -> str:
    if gone > 1:
        return f"{counted(gone, 'worker')} have names that begin with {name}; give more of the name, or --all."
    if states:
        return f"The worker {name} is {states[0]}: `lion-broker drain {name}` has it end."
    return f"No worker {name} is known; `lion-broker status` names those that there are."
