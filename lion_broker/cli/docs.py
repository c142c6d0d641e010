"""`docs asyncapi` and `docs openapi`: the mail on the wire and the gateway, for programs in other languages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from lion_broker.errors import ConfigError

from .gateway import check_installed
from .options import AsJson, Namespace

__all__ = ["asyncapi", "openapi"]

Output = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where it is written. Default: stdout.")
]


def asyncapi(output: Output = None, namespace: Namespace = None, as_json: AsJson = False) -> None:
    """Print the mail on the wire as an AsyncAPI 3 document in JSON.

    Built from what the package reads and writes; connects to nothing. --json prints it on one line.
    Example: lion-broker docs asyncapi --output asyncapi.json
    """
    from lion_broker.broker.asyncapi import asyncapi_document
    from lion_broker.config import Settings

    _write(asyncapi_document(Settings.load(namespace=namespace).namespace), output, as_json)


def openapi(output: Output = None, as_json: AsJson = False) -> None:
    """Print what the gateway answers to programs as an OpenAPI 3.1 document in JSON.

    Built from the pages, acts and streams that there are; connects to nothing. A gateway answers with it at
    /openapi.json, too. --json prints it on one line.
    Example: lion-broker docs openapi --output openapi.json
    """
    check_installed("The document")
    from lion_broker.dashboard.openapi import openapi_document

    _write(openapi_document(), output, as_json)


def _write(document: dict[str, Any], output: Path | None, as_json: bool) -> None:
    """Print a document, or write it to a file; raises ConfigError when that cannot be written."""
    from pydantic_core import to_json

    text = to_json(document, indent=None if as_json else 2).decode()
    if output is None:
        typer.echo(text)
        return
    try:
        output.write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{output} cannot be written: {error.strerror}.") from error
