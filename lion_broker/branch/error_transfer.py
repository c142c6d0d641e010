"""How an error travels: its class by name, its message, and the traceback of where it was raised."""

from __future__ import annotations

import builtins
import traceback
from collections.abc import Mapping
from typing import Any, Final

from lion_broker import errors
from lion_broker.core.portable import readable
from lion_broker.errors import BranchError, LionError, OutputInvalid

__all__ = ["error_from_dict", "error_to_dict"]

_LONGEST_MESSAGE: Final = 4_000
_LONGEST_TRACEBACK: Final = 16_000


def error_to_dict(error: BaseException) -> dict[str, Any]:
    """Return an error as JSON values.

    Errors of this package and Python's own keep their class; another one is a BranchError that names it.
    """
    kind = type(error)
    known = isinstance(error, LionError) or getattr(builtins, kind.__name__, None) is kind
    message = _message(error) if known else f"{kind.__name__}: {readable(error)}"
    values = {
        "class": kind.__name__ if known else BranchError.__name__,
        "message": readable(message)[:_LONGEST_MESSAGE],
        "traceback": readable("".join(traceback.format_exception(error)))[-_LONGEST_TRACEBACK:],
    }
    return {**values, "text": readable(error.text)[:_LONGEST_TRACEBACK]} if isinstance(error, OutputInvalid) else values


def error_from_dict(values: Mapping[str, Any]) -> Exception:
    """Return the error that `error_to_dict` wrote down, with the traceback of the other side as a note.

    A class that is not one of this package's or of Python's errors is a BranchError: nothing is imported for it.
    """
    message = str(values.get("message", "The worker answered with an error."))
    error = _made(str(values.get("class", "")), message)
    if isinstance(error, OutputInvalid):
        error.text = str(values.get("text", ""))
    if values.get("traceback"):
        error.add_note(f"On the worker:\n\n{values['traceback']}")
    return error


def _message(error: BaseException) -> str:
    """The text that makes the same error again; a KeyError shows its text quoted."""
    return error.args[0] if len(error.args) == 1 and isinstance(error.args[0], str) else readable(error)


def _made(name: str, message: str) -> Exception:
    kind = getattr(errors, name, None) if name in errors.__all__ else getattr(builtins, name, None)
    if not (isinstance(kind, type) and issubclass(kind, Exception)):
        return BranchError(message)
    try:
        return kind(message)
    except TypeError:
        # Some take more than a text, such as UnicodeDecodeError.
        return BranchError(f"{name}: {message}")
