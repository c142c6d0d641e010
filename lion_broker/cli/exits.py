"""How commands end: exit codes, and errors as one sentence on stderr."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum
from itertools import pairwise
from typing import Final

import typer

from lion_broker.errors import (
    BrokerUnavailable,
    ConfigError,
    ItemNotFoundError,
    LionError,
    RoundTimeout,
    ServerNotFound,
    ServerStartFailed,
)

from .printing import print_json

__all__ = ["BRIEF_CODES", "EXIT_CODES", "Code", "code_of", "in_time", "report", "wants_json"]


class Code(IntEnum):
    """What the exit code of a command says; 128 + N is added for signal N."""

    OK = 0
    ERROR = 1
    USAGE = 2
    NO_SERVER = 3
    NOT_FOUND = 4
    BROKEN = 5
    UNSOUND = 6
    UNFINISHED = 7
    ALARM = 8
    SIGNAL = 128


EXIT_CODES: Final = (
    "Exit codes: 0 done, 1 error, 2 wrong use or setting, 3 no server, 4 not found, 5 a promise was broken (mail lost"
    " or applied twice, or a quote that is not in the corpus), 6 the doctor has found an error, 7 not done within the"
    " time given, 8 what `status --fail-if-…` was to look for is the case, 130 Ctrl-C (but 0 for what runs until it is"
    " stopped: worker, sweeper, up, tail, --watch)."
)
BRIEF_CODES: Final = (
    "Exit codes: 0 done, 1 error, 2 wrong use or setting, 3 no server, 4 not found; `lion-broker --help` has all."
)

_CODES: Final[tuple[tuple[type[LionError], Code], ...]] = (
    (BrokerUnavailable, Code.NO_SERVER),
    (ServerNotFound, Code.NO_SERVER),
    (ServerStartFailed, Code.NO_SERVER),
    (ConfigError, Code.USAGE),
    (ItemNotFoundError, Code.NOT_FOUND),
)


def code_of(error: LionError) -> Code:
    """Return the exit code for an error of this package."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), Code.ERROR)


def wants_json(words: Sequence[str]) -> bool:
    """Whether who has typed these words is a program that reads JSON."""
    forms = [after for word, after in pairwise(words) if word in ("-o", "--output")]
    return "--json" in words or any(form in ("json", "jsonl") for form in forms)


@contextmanager
def in_time(as_json: bool) -> Iterator[None]:
    """End with the code for what was not done in the time given, where a block raises RoundTimeout."""
    try:
        yield
    except RoundTimeout as error:
        raise typer.Exit(report(error, as_json, Code.UNFINISHED)) from error


def report(error: LionError, as_json: bool, code: Code | None = None) -> Code:
    """Say on stderr what went wrong, for programs on stdout as well, and return the exit code for it, or `code`."""
    code = code_of(error) if code is None else code
    typer.echo(f"Error: {error}", err=True)
    if as_json:
        print_json({"error": type(error).__name__, "message": str(error), "code": code})
    return code
