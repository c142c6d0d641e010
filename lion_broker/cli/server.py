"""`server status` and `server stop`: the embedded server, whether or not this process uses it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from .exits import Code
from .options import AsJson
from .printing import print_json

__all__ = ["AGAIN", "status", "stop"]

AGAIN: Final = "Programs and workers that still use it start it again with their next call."
"""What is to be known of a server that was stopped."""

Directory = Annotated[
    Path | None,
    typer.Option(
        "--dir",
        metavar="DIR",
        help="Its data directory. Default: the one that LION_BROKER_URL=embedded://DIR names, else"
        " LION_BROKER_DATA_DIR, else the user's own.",
        show_default=False,
    ),
]


def status(directory: Directory = None, as_json: AsJson = False) -> None:
    """Say whether the embedded server runs, and where; exit code 3 when it does not. Starts nothing."""
    from lion_broker.broker.server.state import Answer, look, read_record

    place = _place(directory)
    record = read_record(str(place))
    answer = look(record.socket) if record else Answer.ABSENT
    if as_json:
        known = {"pid": record.pid, "socket": record.socket, "version": record.version} if record else {}
        print_json({"state": answer, "directory": str(place), **(known if answer is not Answer.ABSENT else {})})
    elif record is None or answer is Answer.ABSENT:
        typer.echo(f"No server runs in {place}. It starts with the first session or worker that needs it.")
    else:
        typer.echo(f"{record.version}, process {record.pid}, is {answer}: {record.socket}, data in {place}")
    if answer is Answer.ABSENT:
        raise typer.Exit(Code.NO_SERVER)


def stop(directory: Directory = None, as_json: AsJson = False) -> None:
    """Stop the embedded server, whoever uses it, its data on disk; exit code 3 when there was none.

    Programs and workers that still use it start it again with their next call: end them first. `lion-broker drain
    --all --wait` ends all workers, `lion-broker down` those of `up`.
    """
    from lion_broker.broker.embedded import stop as stop_server
    from lion_broker.config import Settings

    place = _place(directory)
    stopped = stop_server(place, environ=Settings.load().environ)
    if as_json:
        print_json({"stopped": stopped, "directory": str(place)})
    else:
        typer.echo(f"Stopped; the data is in {place}. {AGAIN}" if stopped else f"No server runs in {place}.")
    if not stopped:
        raise typer.Exit(Code.NO_SERVER)


def _place(directory: Path | None) -> Path:
    from lion_broker.broker.server.directory import directory_of
    from lion_broker.config import Settings

    if directory is not None:
        return directory.expanduser().resolve()
    settings = Settings.load()
    return directory_of(settings.url or "", settings.environ)
