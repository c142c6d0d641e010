"""What a person has typed, as words for a process that is to do the same."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

import typer

__all__ = ["own_name", "own_words", "typed_words"]

_NAME: Final = "lion-broker"


def own_name() -> str:
    """Return what a person can type to run this program again: its name where the shell finds it, else its path."""
    program = Path(sys.argv[0])
    if program.name != _NAME or shutil.which(_NAME):
        return _NAME
    here = os.path.relpath(program)
    return shlex.quote(str(program) if here.startswith(os.pardir) else here)


def own_words(*words: str) -> list[str]:
    """Return the command line of a process that runs this program."""
    return [sys.executable, "-m", "lion_broker", *words]


def typed_words(context: typer.Context, without: Collection[str] = ()) -> list[str]:
    """Return the options that were typed for a command, but for some by the names of their parameters."""
    words: list[str] = []
    for parameter in context.command.params:
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        # By its name: typer may bring a click of its own.
        if name not in without and source is not None and source.name == "COMMANDLINE":
            words += _words(parameter, context.params[name])
    return words


def _words(parameter: Any, value: Any) -> list[str]:
    if value is True:
        return [parameter.opts[0]]
    if value is False:
        return [parameter.secondary_opts[0]]
    values = value if isinstance(value, (list, tuple)) else [value]
    return [word for one in values for word in (parameter.opts[0], str(one))]
