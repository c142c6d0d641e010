"""Turning values into plain JSON values and text: the one place that decides what can be written down."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from pydantic_core import PydanticSerializationError, to_jsonable_python

from lion_broker.errors import NotPortable

__all__ = ["INSTEAD", "one_line", "plain_dict", "readable", "to_portable"]

INSTEAD: Final = "Use text, numbers, lists, dicts, dataclasses or pydantic models instead."
"""What to do about a value that cannot be written down."""


def to_portable(value: Any, /, fallback: Callable[[Any], Any] | None = None, what: str = "The value") -> Any:
    """Return a copy of `value` made of str, int, float, bool, None, list and dict with str keys only.

    Elements become their `to_dict()`, pydantic models and dataclasses a dict, dates ISO text, enums their
    value, sets and tuples lists. `fallback` turns what is left into something known.
    Raises NotPortable for what cannot be written, such as a function or an open file; it is called `what`.
    """
    try:
        return to_jsonable_python(value, fallback=fallback or _refuse)
    except _Refused as error:
        raise NotPortable(f"{what} cannot be written as JSON: {error}. {INSTEAD}") from None
    except NotPortable as error:  # of an element inside, which has said of itself what is the matter
        raise NotPortable(f"{what} cannot be written as JSON: {error}") from error
    except (PydanticSerializationError, TypeError, ValueError) as error:  # bytes, circles, odd serializers
        raise NotPortable(f"{what} cannot be written as JSON: {str(error).rstrip(' .')}. {INSTEAD}") from error


def plain_dict(values: Mapping[str, Any], owner: str) -> dict[str, Any]:
    """Return `values` as plain JSON values; what cannot be written is named with its key and `owner`."""
    try:
        plain: dict[str, Any] = to_portable(values)
    except NotPortable:
        for key, value in values.items():
            to_portable(value, what=f"'{key}' of {owner}")
        raise
    return plain


def readable(value: Any, /, most: int | None = None) -> str:
    """Return a text, or the text of anything else such as an error, as every server, file and terminal takes it.

    Half characters (lone surrogates) become escapes like `\\ud800`; what is longer than `most` characters is cut to
    that, with a mark that it was. Never raises, whatever the code that makes the text does.
    """
    try:
        text = value if isinstance(value, str) else str(value)
    except Exception:  # the value is not ours, and what it cannot say must not hide that it is there
        text = f"<{type(value).__name__} that cannot be shown>"
    text = text.encode("utf-8", "backslashreplace").decode()
    if most is None or len(text) <= most:
        return text
    mark = f" … (cut; it has {len(text):,} characters)"
    return text[: most - len(mark)] + mark


def one_line(value: Any, /, most: int | None = None) -> str:
    """Return a text as `readable` does, in one line and without anything that would steer a terminal.

    Line ends and runs of blanks become one blank; control characters, and those that turn the direction of a line,
    become escapes like `\\x1b`.
    """
    # What would be cut is not looked at; an escape is at most ten characters for one.
    text = readable(value)
    kept = text if most is None else text[: most * 4]
    line = " ".join(kept.split())
    shown = line if line.isprintable() else "".join(map(_shown, line))
    cut = most is not None and (len(shown) > most or len(kept) < len(text))
    return shown[: max(0, (most or 0) - 1)] + "…" if cut else shown


def _shown(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode()


class _Refused(NotPortable):
    """Says what of a value is the matter, to whoever knows what the value is."""


def _refuse(value: Any) -> Any:
    raise _Refused(f"{value!r:.80} is of type {type(value).__name__}")
