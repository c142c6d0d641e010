"""Finds the registry that a person named on the command line."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Final

from lion_broker.errors import ConfigError
from lion_broker.telemetry import logger

from .running import ended_by_signals

if TYPE_CHECKING:
    from lion_broker.branch.registry import Registry

__all__ = ["check_registry", "load_registry", "told_when_slow"]

log = logger("cli")

SLOW_SECONDS: Final = 5.0
"""So long an import may take before it is said that it is what is waited for; a slow one is no fault."""

_LONGEST: Final = 16_384
# Ctrl-C is for the program that waits to hear; when that has gone, however it went, this goes too.
_CHECK: Final = """
import os, signal, sys, threading
signal.signal(signal.SIGINT, signal.SIG_IGN)
threading.Thread(target=lambda: (os.read(int(sys.argv[3]), 1), os._exit(0)), daemon=True).start()
from lion_broker.cli.loading import load_registry
from lion_broker.errors import ConfigError
try:
    load_registry(sys.argv[1])
except ConfigError as error:
    os.write(int(sys.argv[2]), str(error).encode(errors="replace"))
"""


def load_registry(app: str) -> Registry:
    """Return the registry that `package.module:name` names; modules in the current directory are found too.

    Imports the module, which runs it. Raises ConfigError when there is no such module, when it fails, when it has no
    such name, and when that is no Registry.
    """
    from lion_broker.branch.registry import Registry

    module_name, _, name = app.partition(":")
    if not module_name or not name.isidentifier():
        example = f"{module_name or 'app'}:registry"
        raise ConfigError(f"--app {app!r} is not of the form package.module:name, for example {example}.")
    module = _import(module_name)
    found = getattr(module, name, None)
    if isinstance(found, Registry):
        return found
    known = sorted(key for key, value in vars(module).items() if isinstance(value, Registry))
    meant = " or ".join(f"--app {module_name}:{key}" for key in known)
    hint = f"Give {meant}." if meant else f"Make one there: {name} = Registry()."
    if found is None:
        raise ConfigError(f"--app {app}: the module {module_name} has no {name!r}. {hint}")
    raise ConfigError(f"--app {app}: {name!r} is of type {type(found).__name__}, not a Registry. {hint}")


def check_registry(app: str, environ: Mapping[str, str], tell: Callable[[str], object] = log.warning) -> bool:
    """Raise ConfigError when workers could not load a registry, before any of them is started to say so.

    A process of its own tries, so that nothing of the module stays here; what it prints is for workers to print. It may
    take as long as it takes, and `tell` hears of it when that is long. Returns False when SIGINT or SIGTERM came first,
    which end it.
    """
    text, tried = "", False
    with _pipe() as (reading, writing), _pipe() as (living, _), ended_by_signals(), told_when_slow(app, tell):
        process = subprocess.Popen(  # noqa: S603 - this interpreter, with our own words
            [sys.executable, "-c", _CHECK, app, str(writing), str(living)],
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[writing, living],
        )
        try:
            process.wait()
        finally:
            process.kill()
            process.wait()
        # Not to the end of the pipe: what the module has started may hold it open.
        os.set_blocking(reading, False)
        with suppress(BlockingIOError):
            text = os.read(reading, _LONGEST).decode(errors="replace")
        tried = True
    if text:
        raise ConfigError(text)
    return tried


@contextmanager
def told_when_slow(app: str, tell: Callable[[str], object] = log.warning) -> Iterator[None]:
    """Import a registry within; where that lasts for longer than one has patience with silence, `tell` says so."""
    seconds = SLOW_SECONDS
    said = (
        f"--app {app}: its module is still being imported, for {seconds:g} s now; workers wait for it. Ctrl-C ends it."
    )
    timer = threading.Timer(seconds, tell, [said])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextmanager
def _pipe() -> Iterator[tuple[int, int]]:
    """The ends of a pipe: to read from, and to write to."""
    ends = os.pipe()
    try:
        yield ends
    finally:
        for end in ends:
            os.close(end)


def _import(name: str) -> ModuleType:
    here = os.getcwd()
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or name
        if name == missing or name.startswith(f"{missing}."):
            raise ConfigError(
                f"--app: there is no module {missing!r} in {here} or among the installed packages. Start the worker in"
                " the directory of the module, or install its package."
            ) from None
        raise ConfigError(f"--app: the module {name} imports {missing!r}, which is not installed.") from None
    except (Exception, SystemExit) as error:
        raise ConfigError(f"--app: the module {name} fails when it is imported: {_told(error)}.") from error


def _told(error: BaseException) -> str:
    """Return an error in words, with the place in the module where it happened."""
    ours = ("importlib", __file__)
    places = [
        place for place in traceback.extract_tb(error.__traceback__) if not any(one in place.filename for one in ours)
    ]
    where = f" ({places[-1].filename}, line {places[-1].lineno})" if places else ""
    return " ".join(f"{type(error).__name__}: {error}{where}".split())
