"""`session export`: a session as a file, or several as files of one directory."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, Final

import typer

from lion_broker.core.numbers import counted
from lion_broker.errors import ConfigError, ItemNotFoundError, LionError, RoundTimeout

from .exits import Code, in_time
from .options import AsJson, Namespace, Url, exchange_at
from .printing import print_json
from .session_import import shown, summed
from .session_lookup import records_of, session_id
from .sessions import Many

if TYPE_CHECKING:
    from lion_broker.mail.exchange import Exchange

__all__ = ["export"]

_PAGE: Final = 200


def export(
    sessions: Many = None,
    every: Annotated[bool, typer.Option("--all", help="All sessions of the namespace.")] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE|DIRECTORY",
            help="Where it is written; of several sessions, the directory for a file each. Default: stdout.",
        ),
    ] = None,
    pause: Annotated[
        bool,
        typer.Option("--pause", help="Let the branches on workers rest meanwhile, so that it is of one moment."),
    ] = False,
    wait: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="With --pause: how long turns may take to end.")
    ] = 60.0,
    url: Url = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Write all that sessions hold as JSON lines: branches, histories, waiting mail, dead letters, large bodies.

    One session goes to stdout or into a file. Several, or --all, go into a directory, each into a file that is called
    as its id. It takes the place of an older one when it is whole; what is there of other sessions stays.

    Each branch is read as it stands after a turn. A session at work goes on meanwhile, and a mail may then be missing
    between two branches: the file says so in its last line, and a warning on stderr. --pause prevents it, in one
    session after the other; exit code 7 when turns do not end in time. There are no secrets in it, but all that was
    said. With --json a summary goes to stdout, and --output is needed.
    Example: lion-broker session export --all --output backup
    """
    if bool(sessions) == every:
        raise ConfigError("Name sessions, or take all of them with --all; one of the two.")
    if as_json and output is None:
        raise ConfigError("--json prints a summary on stdout, where the export would go: give --output FILE as well.")
    resting = wait if pause else None
    with in_time(as_json), exchange_at(url, namespace) as exchange:
        # All are found before the first is written.
        found = _every(exchange) if every else list(dict.fromkeys(session_id(exchange, one) for one in sessions or ()))
        if every or len(found) > 1 or (output is not None and output.is_dir()):
            _into_directory(exchange, found, _directory(output), resting, as_json)
            return
        (session,) = found
        done = _written(exchange, session, output, resting, f"exporting {session}")
    _warn(done)
    if as_json:
        print_json(_told(done))
    else:
        typer.echo(f"Exported {session}: {summed(done)}.", err=True)


def _every(exchange: Exchange) -> list[str]:
    """All sessions but those that are not whole yet, which are named."""
    from lion_broker.mail.verbs import IMPORTING, ListSessions

    whole = list[str]()
    for one in records_of(exchange, exchange.call(ListSessions())):
        if IMPORTING in one.fields:
            typer.echo(f"Warning: {one.id} is being imported, and was left out.", err=True)
        else:
            whole.append(one.id)
    return whole


def _directory(output: Path | None) -> Path:
    if output is None:
        raise ConfigError("Several sessions go into a directory, a file each: name it with --output.")
    if output.exists() and not output.is_dir():
        raise ConfigError(f"{output} is a file, and several sessions go into a directory: name another one.")
    return output


def _into_directory(
    exchange: Exchange, sessions: Sequence[str], directory: Path, wait: float | None, as_json: bool
) -> None:
    """Write each session into a file; one that is gone or does not rest is left out, and the others are written."""
    from lion_broker.core.progress import progress

    if sessions:
        _make(directory)
    done, left_out = list[dict[str, Any]](), list[LionError]()
    try:
        with progress("exporting", len(sessions)) as step:
            for session in sessions:
                file = directory / f"{session}.jsonl"
                try:
                    one = _written(exchange, session, file, wait)
                except (ItemNotFoundError, RoundTimeout) as error:
                    typer.echo(f"Warning: {session} was left out: {error}", err=True)
                    left_out.append(error)
                else:
                    _warn(one, f"{session}: ")
                    done.append({**_told(one), "file": str(file)})
                step(1)
    except BaseException:
        typer.echo(
            f"Exported {len(done)} of {counted(len(sessions), 'session')}; what was exported is whole.", err=True
        )
        raise
    if as_json:
        print_json(done)
    else:
        typer.echo(
            f"Exported {counted(len(done), 'session')} into {directory}." if sessions else "There are no sessions.",
            err=True,
        )
    if left_out:
        late = any(isinstance(error, RoundTimeout) for error in left_out)
        raise typer.Exit(Code.UNFINISHED if late else Code.NOT_FOUND)


def _make(directory: Path) -> None:
    try:
        # As private as a mailbox: it holds all that was said.
        directory.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{directory} cannot be made: {error.strerror}.") from error


def _written(exchange: Exchange, session: str, output: Path | None, wait: float | None, bar: str = "") -> Any:
    """Write a session into a file or to stdout; with `bar`, say how far it is."""
    from lion_broker.core.progress import progress
    from lion_broker.mail.exchange import run
    from lion_broker.session.exporting import export_steps, lines_to

    told: Any = progress(bar) if bar else nullcontext(lambda count: None)
    with _resting(exchange, session, wait), _draft(output) as file, told as step:
        return run(exchange, export_steps(session, lines_to(file, step)))


def _told(done: Any) -> dict[str, Any]:
    return {**shown(done), "left_out": done.left_out, "steady": done.steady}


def _warn(done: Any, which: str = "") -> None:
    if done.left_out:
        typer.echo(f"Warning: {which}left out {counted(done.left_out, 'entry')} of no mail.", err=True)
    if not done.steady:
        text = f"Warning: {which}the session was at work meanwhile; --pause makes an export of one moment."
        typer.echo(text, err=True)


@contextmanager
def _draft(output: Path | None) -> Iterator[IO[bytes]]:
    """A file that takes its name when it is whole; or stdout."""
    if output is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    draft = output.with_name(f"{output.name}.{os.getpid()}.part")
    try:
        # As private as a mailbox: it holds all that was said.
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            yield file
        draft.replace(output)
    except OSError as error:
        raise ConfigError(f"{output} cannot be written: {error.strerror}.") from error
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def _resting(exchange: Exchange, session: str, seconds: float | None) -> Iterator[None]:
    """Have the branches on workers take no turns, and wait until those in hand have ended; None: let them be."""
    if seconds is None:
        yield
        return
    from lion_broker.mail.verbs import Pause, Resume
    from lion_broker.session.reader import EXPORTED

    ids = [one.id for one in _branches(exchange, session) if one.seed.pool and not one.paused]
    try:
        for first in range(0, len(ids), _PAGE):
            exchange.call_all([Pause(session, one, EXPORTED) for one in ids[first : first + _PAGE]])
        _await_rest(exchange, session, seconds)
        yield
    finally:
        for first in range(0, len(ids), _PAGE):
            exchange.call_all([Resume(session, one) for one in ids[first : first + _PAGE]])


def _await_rest(exchange: Exchange, session: str, seconds: float) -> None:
    from lion_broker.mail.verbs import ReadEvents

    deadline = time.monotonic() + seconds
    tip = exchange.call(ReadEvents(session, "$"))[0].id
    while busy := [one.seed.name or one.id for one in _branches(exchange, session) if one.seed.pool and one.leased]:
        left_ms = int((deadline - time.monotonic()) * 1000)
        if left_ms <= 0:
            raise RoundTimeout(f"{', '.join(busy[:3])} did not end a turn within {seconds:g} s. Give more with --wait.")
        happened = exchange.call(ReadEvents(session, tip, wait_ms=min(left_ms, 200), gaps=False))
        tip = happened[-1].id if happened else tip


def _branches(exchange: Exchange, session: str) -> list[Any]:
    from lion_broker.mail.verbs import ReadBranches

    found: list[Any] = []
    while page := exchange.call(ReadBranches(session, start=len(found))):
        found += page
    return found
