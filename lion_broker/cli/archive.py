"""`session export`, `import` and `fork`: a session as a file, a file as a session, and a session as another one."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, Final

import typer

from lion_broker.errors import ConfigError, RoundTimeout

from .exits import in_time
from .finding import One, session_id
from .options import AsJson, Namespace, Url, exchange_at
from .printing import print_json

if TYPE_CHECKING:
    from lion_broker.mail.exchange import Exchange
    from lion_broker.session.exporting import Imported
    from lion_broker.session.target import Target

__all__ = ["export", "fork", "import_"]

_PAGE: Final = 200


def export(
    session: One,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where it is written. Default: stdout.")
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
    """Write all that a session holds as JSON lines: branches, histories, waiting mail, dead letters, large bodies.

    Each branch is read as it stands after a turn. A session at work goes on meanwhile, and a mail may then be missing
    between two branches: the file says so in its last line, and a warning on stderr. --pause prevents it; exit code 7
    when turns do not end in time. There are no secrets in it, but all that was said. With --json a summary goes to
    stdout, and --output is needed. Example: lion-broker session export trip --pause --output trip.jsonl
    """
    from lion_broker.core.progress import progress
    from lion_broker.mail.exchange import run
    from lion_broker.session.exporting import export_steps, lines_to

    if as_json and output is None:
        raise ConfigError("--json prints a summary on stdout, where the export would go: give --output FILE as well.")
    with in_time(as_json), exchange_at(url, namespace) as exchange:
        found = session_id(exchange, session)
        resting = _resting(exchange, found, wait if pause else None)
        with resting, _written(output) as file, progress(f"exporting {found}") as step:
            done = run(exchange, export_steps(found, lines_to(file, step)))
    if done.left_out:
        typer.echo(f"Warning: {done.left_out} entries that are no mail were left out.", err=True)
    if not done.steady:
        typer.echo("Warning: the session was at work meanwhile; --pause makes an export of one moment.", err=True)
    if as_json:
        print_json({**_shown(done), "left_out": done.left_out, "steady": done.steady})
    else:
        typer.echo(f"Exported {found}: {_sum(done)}.", err=True)


def import_(
    file: Annotated[str, typer.Argument(metavar="FILE", help="What `session export` has written; - reads stdin.")],
    same_ids: Annotated[
        bool, typer.Option("--same-ids", help="Give the session the id that it had, instead of a new one.")
    ] = False,
    check: Annotated[bool, typer.Option("--check", help="Read the file to its end, and import nothing.")] = False,
    url: Url = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Make a session of an export, in this namespace and signed with its key.

    The file is read to its end first: one that is cut off or changed imports nothing. The session can be opened, and
    its branches take turns, when all of it is there. An import that is broken off removes what it made; after a kill
    `session ls` shows what is left, and `session rm` or the same import with --same-ids takes it away. Waiting mail is
    handled here again: remove or pause the first session before you let both work. Exit code 1 when the id is taken.
    Example: lion-broker session import trip.jsonl --same-ids
    """
    from lion_broker.core.progress import progress
    from lion_broker.session.exporting import checked, import_steps, target_of

    with _readable(file) as opened:
        plan = checked(opened)
        if check:
            told = {"session": plan.session, "branches": len(plan.branches) - 1, **plan.counts, "steady": plan.steady}
            _print(told, as_json, f"{file} is whole: session {plan.session}.")
            return
        opened.seek(0)
        target = target_of(plan, same_ids)
        with exchange_at(url, namespace) as exchange, progress(f"importing {plan.session}", plan.size) as step:
            done = _unless_broken_off(exchange, target, lambda: import_steps(plan, opened, target, step))
    if not plan.steady:
        typer.echo("Warning: the session was at work while it was exported.", err=True)
    _print({**_shown(done), "origin": done.origin}, as_json, f"Imported {done.session}: {_sum(done)}.")


def fork(
    session: One,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Its name. Default: that of the first one, and (fork).")
    ] = None,
    url: Url = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Make a new session whose branches begin with the histories that a session's have now.

    The fork has the branches under their ids and names, their histories, logs, tools and models, pools and behaviours,
    and the session's fields and limits. It has no mail: what is on its way, waits or is dead stays with the first
    session, which alone handles it. Branches that live in a program are taken up by Session.open(id, host=True).
    Example: lion-broker session fork trip --name "what if"
    """
    from lion_broker.core.ids import IDType
    from lion_broker.session.exporting import fork_steps
    from lion_broker.session.target import Target

    with exchange_at(url, namespace) as exchange:
        found = session_id(exchange, session)
        target = Target(IDType.create(), found)
        done = _unless_broken_off(exchange, target, lambda: fork_steps(found, name, target))
    _print({**_shown(done), "origin": done.origin}, as_json, f"Forked {found} into {done.session}: {_sum(done)}.")


def _unless_broken_off(exchange: Exchange, target: Target, steps: Callable[[], Any]) -> Imported:
    """Run an import; who breaks it off leaves nothing behind."""
    from lion_broker.mail.exchange import run

    try:
        done: Imported = run(exchange, steps())
        return done
    except KeyboardInterrupt:
        run(exchange, target.give_up_steps())
        raise


def _shown(done: Any) -> dict[str, Any]:
    return {name: getattr(done, name) for name in ("session", "branches", "rows", "mails", "dead")}


def _sum(done: Any) -> str:
    return f"{done.branches} branches, {done.rows} rows of logs, {done.mails} waiting mails, {done.dead} dead letters"


def _print(told: dict[str, Any], as_json: bool, text: str) -> None:
    if as_json:
        print_json(told)
    else:
        typer.echo(text)


@contextmanager
def _written(output: Path | None) -> Iterator[IO[bytes]]:
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
def _readable(name: str) -> Iterator[IO[bytes]]:
    """A file that can be read twice."""
    if name == "-":
        with tempfile.TemporaryFile() as copy:
            shutil.copyfileobj(sys.stdin.buffer, copy)
            copy.seek(0)
            yield copy
        return
    try:
        file = Path(name).open("rb")  # noqa: SIM115 - closed below; only opening it is to raise this error
    except OSError as error:
        raise ConfigError(f"{name} cannot be read: {error.strerror}.") from error
    with file:
        yield file


@contextmanager
def _resting(exchange: Exchange, session: str, seconds: float | None) -> Iterator[None]:
    """Have the branches on workers take no turns, and wait until those in hand have ended; None: let them be."""
    if seconds is None:
        yield
        return
    from lion_broker.mail.verbs import Pause, Resume
    from lion_broker.session.source import EXPORTED

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
