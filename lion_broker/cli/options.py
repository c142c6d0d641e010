"""Options that several commands have, and what they lead to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lion_broker.config import Settings
    from lion_broker.mail.exchange import Exchange

__all__ = ["AsJson", "Lease", "Namespace", "Url", "exchange_at", "shared_exchange"]


def _given(value: str | None) -> str | None:
    """Refuse an empty text: it comes from a variable that is not set, and does not mean the default."""
    if value is not None and not value.strip():
        raise typer.BadParameter("it is empty; leave the option out for the default.")
    return value


Url = Annotated[
    str | None,
    typer.Option(
        callback=_given,
        metavar="URL",
        help="Where the exchange is: redis://, rediss://, unix://, embedded://[dir]. Default: LION_BROKER_URL, else the"
        " embedded server of this user.",
        show_default=False,
    ),
]
Namespace = Annotated[
    str | None,
    typer.Option(
        callback=_given,
        metavar="NAME",
        help="Keeps deployments on one server apart. Default: LION_BROKER_NAMESPACE, else 'default'.",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, for programs.")]
Lease = Annotated[
    float | None,
    typer.Option(
        min=0.5,
        max=3600,
        metavar="SECONDS",
        help="How long a worker owns a branch without renewing. Default: LION_BROKER_LEASE, else 10.",
        show_default=False,
    ),
]


@contextmanager
def exchange_at(url: str | None, namespace: str | None) -> Iterator[Exchange]:
    """Open the exchange that the options and the environment name, and close it in the end."""
    from lion_broker.broker.connect import connect
    from lion_broker.config import Settings

    with connect(settings=Settings.load(url=url, namespace=namespace)) as exchange:
        yield exchange


def shared_exchange(settings: Settings) -> Exchange:
    """Open an exchange that other processes can reach; raises ConfigError for `memory://`, which they cannot."""
    from lion_broker.broker.connect import connect
    from lion_broker.errors import ConfigError

    if (settings.url or "").startswith("memory:"):
        raise ConfigError(
            "memory:// is an exchange inside one process, which workers cannot reach. Leave --url and LION_BROKER_URL"
            " out for the embedded server, or name a server."
        )
    return connect(settings=settings)
