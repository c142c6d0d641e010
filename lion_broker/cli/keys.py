"""`keygen` and `version`: what a deployment needs to know and to keep secret."""

from __future__ import annotations

import typer

from .options import AsJson
from .printing import print_json

__all__ = ["keygen", "print_version", "version"]


def keygen(as_json: AsJson = False) -> None:
    """Print a new secret that signs mail.

    Give the same one to all programs and workers on a server: LION_BROKER_SECRET, or a file named by
    LION_BROKER_SECRET_FILE. The embedded server makes and keeps its own.
    """
    import secrets

    secret = secrets.token_hex(32)
    if as_json:
        print_json({"secret": secret})
    else:
        typer.echo(secret)


def version(as_json: AsJson = False) -> None:
    """Print the version."""
    import platform

    if as_json:
        print_json({"version": _version(), "python": platform.python_version()})
    else:
        typer.echo(f"lion-broker {_version()} (Python {platform.python_version()})")


def print_version(wanted: bool) -> None:
    """Print the version and end, for the option `--version`."""
    if wanted:
        version()
        raise typer.Exit


def _version() -> str:
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed("lion-broker")
    except PackageNotFoundError:
        return "unknown (not installed)"
