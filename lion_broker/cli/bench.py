"""`bench`: what the configured server does here and now."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from lion_broker.core.numbers import counted

from .options import AsJson, Namespace, Url, shared_exchange
from .printing import print_json

__all__ = ["bench"]


def bench(
    mails: Annotated[int, typer.Option(min=1, max=1_000_000, metavar="N", help="How many mails are sent.")] = 10_000,
    branches: Annotated[int, typer.Option(min=1, max=10_000, metavar="N", help="To how many branches.")] = 100,
    size: Annotated[int, typer.Option(min=1, max=32_768, metavar="CHARACTERS", help="How long each text is.")] = 200,
    timeout: Annotated[float, typer.Option(min=1, metavar="SECONDS", help="How long each wait may take.")] = 120.0,
    url: Url = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Send mails through one worker process of this machine, and print mails a second and processor time.

    The branches do nothing with their mail, so this is what the road allows. It works on the configured server, in a
    pool of its own, and removes what it made. Run it when nothing else runs, and more than once; figures of two
    machines or servers are not comparable. Example: lion-broker bench --mails 20000 --url redis://server.internal
    """
    from lion_broker.config import PREFIX, Settings
    from lion_broker.demo.throughput import measure

    settings = Settings.load(url=url, namespace=namespace)
    given = {f"{PREFIX}URL": settings.url, f"{PREFIX}NAMESPACE": settings.namespace}
    environ = {**settings.environ, **{name: value for name, value in given.items() if value is not None}}
    with shared_exchange(settings) as exchange:
        found = measure(exchange, environ, mails, branches, size, timeout)
    if as_json:
        print_json(asdict(found))
        return
    typer.echo(f"{found.exchange}, profile {found.profile}")
    each = f"{counted(found.mails, 'mail')} of {counted(found.bytes, 'character')}"
    typer.echo(f"{each} to {counted(found.branches, 'branch')} on one worker process")
    typer.echo(f"mails a second   {found.mails_per_second:,.0f}")
    typer.echo(f"seconds          {found.seconds:.2f}, of them sending {found.post_seconds:.2f}")
    typer.echo(f"processor time   {found.sender_cpu_us:.0f} µs a mail here, {found.worker_cpu_us:.0f} µs in the worker")
