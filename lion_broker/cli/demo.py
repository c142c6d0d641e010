"""`demo research`: a question answered by branches on worker processes, from the options to the closing table."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Final

import typer

from lion_broker.core.numbers import counted
from lion_broker.errors import ConfigError, LionError

from .exits import Code
from .options import AsJson, Namespace, Url, shared_exchange
from .own_command import own_name
from .printing import print_json

if TYPE_CHECKING:
    from lion_broker.config import Settings
    from lion_broker.demo.desk import Brief, Result
    from lion_broker.demo.directory import Skipped

__all__ = ["research"]

_FILES_NAMED: Final = 3
QUESTION = "What happens when a with statement raises an exception?"


def research(
    question: Annotated[str, typer.Option("--question", "-q", metavar="TEXT", help="What to find out.")] = QUESTION,
    corpus: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="A directory of text, Markdown or code to search. Default: the language reference that is part of"
            " Python.",
            show_default=False,
        ),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=16, metavar="N", help="How many worker processes.")] = 3,
    kill_one: Annotated[
        bool,
        typer.Option("--kill-one", help="Kill a worker (SIGKILL) in the middle of its work. The report is the same."),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write the report to a file.", show_default=False),
    ] = None,
    pace: Annotated[
        float,
        typer.Option(min=0, max=10, metavar="SECONDS", help="A pause before each look-up, to have something to see."),
    ] = 0.05,
    lease: Annotated[
        float,
        typer.Option(min=0.5, max=60, metavar="SECONDS", help="After how long a killed worker's work goes to others."),
    ] = 2.0,
    timeout: Annotated[float, typer.Option(min=1, metavar="SECONDS", help="How long the whole may take.")] = 120.0,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the session in the store, to look at it afterwards.")
    ] = False,
    url: Url = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Answer a question with a report in which every sentence is a checked quote.

    A planner splits the question and shares its tools, readers search and quote, a critic checks each quote against
    the corpus and sends back what is wrong, a writer composes the report. They are branches on worker processes, and
    mail is all that they have in common. No language model is used unless you name one: LION_BROKER_DEMO_MODEL is
    provider/model, or a model of the OpenAI-compatible server at LION_BROKER_DEMO_MODEL_URL; its key is in
    LION_BROKER_DEMO_MODEL_KEY. It writes the paragraph “In short”, and never a quote.

    The report goes to stdout, in Markdown when that is no terminal. With --json, stdout gets one object:
    mails redelivered lost duplicates quote_fidelity seconds workers_killed report.
    """
    from lion_broker.config import Settings
    from lion_broker.demo.desk import Brief

    if not question.strip():
        raise ConfigError("The question is empty. Ask one: --question 'What is a metaclass?'")
    if kill_one and workers == 1:
        raise ConfigError("--kill-one needs somebody who takes over: give at least --workers 2.")
    if output is not None and not output.parent.is_dir():
        raise ConfigError(f"--output {output}: there is no directory {output.parent}.")
    directory = str(corpus.resolve()) if corpus else ""
    brief = Brief(question, directory, workers, kill_one, keep, pace, lease, timeout)
    with _ended_by_signals():
        result = _work(brief, Settings.load(url=url, namespace=namespace), as_json)
    _show(result, output, as_json, Settings.load(url=url, namespace=namespace))
    if not result.kept_its_promise:
        raise typer.Exit(Code.BROKEN)
    if kill_one and not result.kills:
        raise LionError(
            "No worker was killed, because no reader was at work long enough. Ask something that the corpus can answer,"
            " or give a --pace of 0.05 or more."
        )


def _work(brief: Brief, settings: Settings, as_json: bool) -> Result:
    from lion_broker.config import PREFIX
    from lion_broker.demo.corpus_tools import search_of
    from lion_broker.demo.desk import research as work
    from lion_broker.demo.model import model_of

    # A corpus that cannot be read, or half a model, is an error before a server is started for it.
    corpus = search_of(brief.corpus).corpus
    model_of(settings.environ)
    if corpus.skipped:
        typer.echo(_left_out(corpus.skipped), err=True)
    given = {f"{PREFIX}URL": settings.url, f"{PREFIX}NAMESPACE": settings.namespace}
    environ = {**settings.environ, **{name: value for name, value in given.items() if value is not None}}
    with shared_exchange(settings) as exchange:
        if as_json or not sys.stderr.isatty():
            return work(brief, corpus, exchange, environ)
        from rich.console import Console

        from lion_broker.demo.live import watching

        with watching(Console(stderr=True)) as watch:
            return work(brief, corpus, exchange, environ, watch)


def _left_out(files: Sequence[Skipped]) -> str:
    """Return one line about the files that are not in the corpus."""
    named = ", ".join(f"{file.path} ({file.reason})" for file in files[:_FILES_NAMED])
    more = f" and {len(files) - _FILES_NAMED} more" if len(files) > _FILES_NAMED else ""
    return f"Left out of the corpus: {named}{more}."


def _show(result: Result, output: Path | None, as_json: bool, settings: Settings) -> None:
    if output is not None:
        try:
            output.write_text(result.report, encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"--output {output} cannot be written: {error.strerror}.") from error
    if as_json:
        print_json(result.summary())
        return
    if output is None and sys.stdout.isatty():
        from rich.console import Console

        from lion_broker.demo.live import show_report

        show_report(Console(), result.report)
    elif output is None:
        typer.echo(result.report, nl=False)
    typer.echo(_closing(result, output, _browse(settings)), err=True)


def _browse(settings: Settings) -> str:
    """Return the command that leads to a dashboard: what serves one, or says where that of an `up` is."""
    from .up_state import UpFiles

    running = UpFiles(settings).read()
    is_here = running is not None and running.address and settings.url in (None, running.exchange)
    return "up --address" if is_here else "gateway"


def _closing(result: Result, output: Path | None, browse: str) -> str:
    """Return the closing table."""
    checked = f"{result.fidelity:.0%} of {counted(result.quotes, 'quote')} stand in the corpus word for word"
    figures = [
        ("mails", str(result.audit.mails)),
        ("redelivered", str(result.redelivered)),
        ("lost", str(result.audit.lost)),
        ("duplicates", str(result.audit.duplicates)),
        ("quote fidelity", checked if result.quotes else "nothing is quoted"),
        ("workers killed", _killed(result)),
        ("seconds", f"{result.seconds:.1f}"),
        ("tokens", _tokens(result)),
    ]
    if output is not None:
        figures.append(("report", str(output)))
    own = own_name()
    if result.kept:
        figures.append(("more", f"{own} session trace {result.session}"))
        figures.append(("in a browser", f"{own} {browse}"))
    elif not result.kills:
        figures.append(("more", f"{own} demo research --kill-one --question '...'"))
    else:
        figures.append(("more", f"{own} demo research --keep, then {own} {browse}, to see it in a browser"))
    return "\n" + "\n".join(f"{name:<16}{value}" for name, value in figures)


def _tokens(result: Result) -> str:
    count, estimated = result.tokens.count, result.tokens.estimated
    if not count:
        return "0 (no language model was used)"
    return f"about {count} (an estimate)" if estimated else f"{count} (as the model's server has counted)"


def _killed(result: Result) -> str:
    if not result.kills:
        return "0"
    told = (
        f"{kill.worker}, while {kill.branch} was reading; {kill.successor} had done it {kill.after:.1f} s later"
        for kill in result.kills
    )
    return f"{len(result.kills)} ({'; '.join(told)})"


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Within this, SIGTERM and SIGHUP end the program by an exception, as Ctrl-C does: nothing is left running."""

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(Code.SIGNAL + number)

    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, end) for number in numbers]
    try:
        yield
    finally:
        for number, disposition in zip(numbers, before, strict=True):
            signal.signal(number, disposition)
