"""Finds the registry that a person named on the command line."""

from __future__ import annotations

import os
import sys
import traceback
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from lion_broker.errors import ConfigError

if TYPE_CHECKING:
    from lion_broker.branch.registry import Registry

__all__ = ["load_registry"]


def load_registry(app: str) -> Registry:
    """Return the registry that `package.module:name` names; modules in the current directory are found too.

    Imports the module, which runs it. Raises ConfigError when there is no such module, when it fails, when it has no
    such name, and when that is no Registry.
    """
    from lion_broker.branch.registry import Registry

    module_name, _, name = app.partition(":")
    if not module_name or not name.isidentifier():
        raise ConfigError(f"--app {app!r} is not of the form package.module:name, for example app:registry.")
    module = _import(module_name)
    found = getattr(module, name, None)
    if isinstance(found, Registry):
        return found
    known = ", ".join(sorted(key for key, value in vars(module).items() if isinstance(value, Registry)))
    hint = f"It has these: {known}." if known else f"Make one there: {name} = Registry()."
    if found is None:
        raise ConfigError(f"--app {app}: the module {module_name} has no {name!r}. {hint}")
    raise ConfigError(f"--app {app}: {name!r} is of type {type(found).__name__}, not a Registry. {hint}")


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
