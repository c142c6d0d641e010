"""`docs asyncapi`: the mail on the wire, for programs that are not written with this package."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lion_broker.errors import ConfigError

from .options import AsJson, Namespace

__all__ = ["asyncapi"]

Output = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where it is written. Default: stdout.")
]


def asyncapi(output: Output = None, namespace: Namespace = None, as_json: AsJson = False) -> None:
    """Print the mail on the wire as an AsyncAPI 3 document in JSON.

    Built from what the package reads and writes; connects to nothing. --json prints it on one line.
    Example: lion-broker docs asyncapi --output asyncapi.json
    """
    from pydantic_core import to_json

    from lion_broker.broker.asyncapi import asyncapi_document
    from lion_broker.config import Settings

    document = asyncapi_document(Settings.load(namespace=namespace).namespace)
    text = to_json(document, indent=None if as_json else 2).decode()
    if output is None:
        typer.echo(text)
        return
    try:
        output.write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{output} cannot be written: {error.strerror}.") from error
