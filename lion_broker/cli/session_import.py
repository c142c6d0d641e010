"""`session import` and `fork`: a file as a session, or several, and a session as another one."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from lion_broker.core.numbers import counted
from lion_broker.errors import ConfigError, ItemExistsError

from .options import AsJson, Namespace, Url, exchange_at
from .printing import print_json
from .session_lookup import One, records_of, session_id

if TYPE_CHECKING:
    from lion_broker.mail.exchange import Exchange
    from lion_broker.session.exporting import Imported, Plan
    from lion_broker.session.writer import SessionWriter

__all__ = ["fork", "import_", "shown", "summed"]


def import_(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...", help="What `session export` has written, or a directory of it; - reads stdin."
        ),
    ],
    same_ids: Annotated[
        bool, typer.Option("--same-ids", help="Give the session the id that it had, instead of a new one.")
    ] = False,
    skip_existing: Annotated[
        bool, typer.Option("--skip-existing", help="With --same-ids: leave out the sessions that are there already.")
    ] = False,
    check: Annotated[bool, typer.Option("--check", help="Read the file to its end, and import nothing.")] = False,
    url: Url = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Make a session of an export, in this namespace and signed with its key; or of each of several.

    A file is read to its end first: one that is cut off or changed imports nothing, and of several none is imported
    then. The session can be opened, and its branches take turns, when all of it is there. An import that is broken off
    removes what it made of the session that it was at; after a kill `session ls` shows what is left, and `session rm`
    or the same import with --same-ids takes it away. Waiting mail is handled here again: remove or pause the first
    session before you let both work. Exit code 1 when an id is taken; --skip-existing leaves those out, also to go on
    after an import of several that was broken off. Of a directory, the files *.jsonl in it are meant.
    Example: lion-broker session import backup --same-ids --skip-existing
    """
    if skip_existing and not same_ids:
        raise ConfigError("--skip-existing goes by the ids that sessions had: give --same-ids as well.")
    names = _named(files)
    many = names != files or len(names) > 1
    if check:
        told = [_checked(name) for name in names]
        _print(
            told if many else told[0],
            as_json,
            "\n".join(f"{one['file']} is whole: session {one['session']}." for one in told),
        )
        return
    if many:
        _import_many(names, same_ids, skip_existing, partial(exchange_at, url, namespace), as_json)
        return
    with _readable(names[0]) as opened, _whole(opened) as plan, exchange_at(url, namespace) as exchange:
        if skip_existing and _there(exchange, [plan.session]):
            _print({}, as_json, f"The session {plan.session} is there already; nothing was imported.")
            return
        done = _imported(exchange, plan, opened, same_ids, f"importing {plan.session}")
    _print({**shown(done), "origin": done.origin}, as_json, f"Imported {done.session}: {summed(done)}.")


def _import_many(names: Sequence[str], same_ids: bool, skip: bool, connect: Callable[[], Any], as_json: bool) -> None:
    """Import each file, when all have been found whole and no id is taken; say how far it came, should it fail."""
    from lion_broker.core.progress import progress

    origins = {name: _checked(name)["session"] for name in names}
    if same_ids:
        _insist_on_different(origins)
    done = list[dict[str, Any]]()
    with connect() as exchange:
        taken = _there(exchange, list(origins.values())) if same_ids else set[str]()
        if taken and not skip:
            raise ItemExistsError(
                f"There already: {counted(len(taken), 'session')}, such as {min(taken)}; nothing was imported."
                " --skip-existing leaves them out."
            )
        wanted = [name for name in names if origins[name] not in taken]
        try:
            with progress("importing", len(wanted)) as step:
                for name in wanted:
                    with _readable(name) as opened, _whole(opened, name) as plan:
                        one = _imported(exchange, plan, opened, same_ids)
                    done.append({**shown(one), "origin": one.origin, "file": name})
                    step(1)
        except BaseException:
            more = " --skip-existing goes on with the others." if same_ids else ""
            typer.echo(
                f"Imported {len(done)} of {counted(len(wanted), 'file')}; what was imported is whole.{more}", err=True
            )
            raise
    if taken:
        typer.echo(f"Left out, because they are there already: {len(taken)}.", err=True)
    lines = [f"Imported {one['session']} from {one['file']}." for one in done]
    _print(done, as_json, "\n".join(lines) or "Nothing was imported.")


def _named(files: Sequence[str]) -> list[str]:
    """The files that are meant, each once; of a directory those in it."""
    names = list[str]()
    for name in files:
        if name != "-" and Path(name).is_dir():
            inside = sorted(str(one) for one in Path(name).glob("*.jsonl"))
            if not inside:
                raise ConfigError(f"There is no export (*.jsonl) in {name}.")
            names += inside
        else:
            names.append(name)
    if "-" in names and len(set(names)) > 1:
        raise ConfigError("Standard input holds one export: import it by itself.")
    found = dict[str, str]()
    for name in names:
        found.setdefault(str(Path(name).resolve()), name)
    return list(found.values())


def _insist_on_different(origins: Mapping[str, str]) -> None:
    first = dict[str, str]()
    for name, session in origins.items():
        if (other := first.setdefault(session, name)) != name:
            raise ConfigError(
                f"{other} and {name} are exports of one session, {session}, and --same-ids keeps its id:"
                " name one of them."
            )


def _checked(name: str) -> dict[str, Any]:
    """Read a file to its end, and say what it holds; raises ConfigError, naming file and line."""
    with _readable(name) as opened, _whole(opened, name) as plan:
        held = {"session": plan.session, "branches": len(plan.branches) - 1, **plan.counts, "steady": plan.steady}
        return {**held, "file": name}


@contextmanager
def _whole(opened: IO[bytes], name: str = "") -> Iterator[Plan]:
    """What a file holds that was read to its end and stands at its beginning again."""
    from lion_broker.session.exporting import checked

    try:
        plan = checked(opened)
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}") if name not in ("", "-") else error from error
    opened.seek(0)
    yield plan


def _there(exchange: Exchange, sessions: Sequence[str]) -> set[str]:
    """Those of some sessions that are there, and whole."""
    from lion_broker.mail.verbs import IMPORTING

    return {one.id for one in records_of(exchange, sessions) if IMPORTING not in one.fields}


def _imported(exchange: Exchange, plan: Plan, opened: IO[bytes], same_ids: bool, bar: str = "") -> Imported:
    """Make the session of a file; with `bar`, say how far it is."""
    from lion_broker.core.progress import progress
    from lion_broker.session.exporting import import_steps, writer_of

    writer = writer_of(plan, same_ids)
    told: Any = progress(bar, plan.size) if bar else nullcontext(lambda count: None)
    with told as step:
        done = _unless_broken_off(exchange, writer, lambda: import_steps(plan, opened, writer, step))
    if not plan.steady:
        typer.echo(f"Warning: the session {plan.session} was at work while it was exported.", err=True)
    return done


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
    from lion_broker.core.progress import progress
    from lion_broker.session.exporting import fork_steps
    from lion_broker.session.writer import SessionWriter

    with exchange_at(url, namespace) as exchange:
        found = session_id(exchange, session)
        writer = SessionWriter(IDType.create(), found)
        with progress(f"forking {found}") as step:
            done = _unless_broken_off(exchange, writer, lambda: fork_steps(found, name, writer, step))
    _print({**shown(done), "origin": done.origin}, as_json, f"Forked {found} into {done.session}: {summed(done)}.")


def _unless_broken_off(exchange: Exchange, writer: SessionWriter, steps: Callable[[], Any]) -> Imported:
    """Run an import; who breaks it off leaves nothing behind."""
    from lion_broker.mail.exchange import run

    try:
        done: Imported = run(exchange, steps())
        return done
    except KeyboardInterrupt:
        run(exchange, writer.abort_steps())
        raise


def shown(done: Any) -> dict[str, Any]:
    """What a copy holds, as a row."""
    return {name: getattr(done, name) for name in ("session", "branches", "rows", "mails", "dead")}


def summed(done: Any) -> str:
    """What a copy holds, in words."""
    kept = counted(done.branches, "branch"), counted(done.rows, "row of logs", "rows of logs")
    return ", ".join((*kept, counted(done.mails, "waiting mail"), counted(done.dead, "dead letter")))


def _print(told: Any, as_json: bool, text: str) -> None:
    if as_json:
        print_json(told)
    else:
        typer.echo(text)


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
