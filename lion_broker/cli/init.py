"""`init`: makes a namespace ready on a server, so that its programs need no right to load functions."""

from __future__ import annotations

import typer

from lion_broker.core.numbers import counted

from .options import AsJson, Namespace, Url
from .printing import print_json

__all__ = ["init"]


def init(url: Url = None, namespace: Namespace = None, as_json: AsJson = False) -> None:
    """Make a namespace ready on a server: load the functions, fix partitions and key, look at what survives.

    May be repeated: what is there already stays. Run it as a user with the role admin (lion-broker acl) before the
    first program, and once after each upgrade; then programs and workers need no right to load functions.
    Example: lion-broker init --url redis://admin:…@server.internal
    """
    from lion_broker.broker.initializing import initialize
    from lion_broker.config import Settings

    done = initialize(Settings.load(url=url, namespace=namespace))
    if as_json:
        print_json(done)
        return
    functions = "were there already" if done.library_was_loaded else "are loaded now"
    namespace_text = "was there already" if done.namespace_was_there else "begins now"
    typer.echo(f"server      {done.exchange}, profile {done.profile}: {done.survives}")
    typer.echo(f"functions   {done.library} {functions}")
    typer.echo(
        f"namespace   {done.namespace} {namespace_text}, {counted(done.partitions, 'partition')}, key {done.key}"
    )
