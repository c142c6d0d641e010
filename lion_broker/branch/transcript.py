"""Messages in files: CSV, JSON and JSON lines, each complete and each read back as it was written.

A row is a message as its `to_dict()`, with at least `REQUIRED`. In CSV the columns of `_AS_JSON` hold JSON, the others
plain text, and an empty cell stands for nothing. What is read is flagged as loaded.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Final

from lion_broker.core.concepts import Collective
from lion_broker.core.element import Element
from lion_broker.core.ids import IDType
from lion_broker.core.pile_files import long_cells
from lion_broker.errors import ConfigError, LionError
from lion_broker.messages import RoledMessage

__all__ = ["FORMATS", "read_messages", "write_messages", "written"]

REQUIRED: Final = ("created_at", "role", "content", "id", "sender", "recipient", "metadata")
_COLUMNS: Final = (*REQUIRED, "template", "embedding", "flag")
_AS_JSON: Final = frozenset({"created_at", "content", "metadata", "template", "embedding"})

Row = tuple[str, Any]
"""Where a row stands, in words, and what it holds."""


def written(messages: Any) -> list[dict[str, Any]]:
    """Return the dicts of messages, each id once.

    `messages` is a message, its dict, a collection of these, or the path of a file. Raises ValueError, naming the
    place, for anything else.
    """
    if isinstance(messages, str | Path):
        messages = read_messages(messages)
    if isinstance(messages, RoledMessage | Mapping):
        messages = [messages]
    if not isinstance(messages, Iterable) or (isinstance(messages, Element) and not isinstance(messages, Collective)):
        raise ConfigError(f"Messages are needed, or the path of a file with them, not {type(messages).__name__}.")
    first: dict[IDType, RoledMessage] = {}
    for place, one in enumerate(messages, 1):
        message = _as_message(one, f"item {place}")
        first.setdefault(message.id, message)
    return [message.to_dict() for message in first.values()]


def write_messages(messages: Iterable[RoledMessage], path: str | Path, suffix: str) -> Path:
    """Write messages to a file in the format that a suffix of `FORMATS` names; returns its path.

    The file appears whole or not at all; one that was there is replaced. Raises ConfigError when it cannot be written.
    """
    rows = [message.to_dict() for message in messages]
    target = Path(os.path.realpath(path))
    part = target.with_name(f".{IDType.create()}.part")
    try:
        with part.open("x", encoding="utf-8", newline="") as file:
            FORMATS[suffix][0](file, rows)
        part.replace(target)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror or error}") from error
    except UnicodeEncodeError as error:
        raise ConfigError(f"{path} cannot be written: half of a surrogate pair is no text in UTF-8.") from error
    finally:
        part.unlink(missing_ok=True)
    return Path(path)


def read_messages(path: str | Path, suffix: str | None = None) -> list[RoledMessage]:
    """Return the messages that `write_messages` wrote, flagged as loaded; the suffix of the path says the format.

    Raises ConfigError, naming the file and the row: no such file, an empty one, another format, a missing or unknown
    column, broken JSON, a value that does not fit, an id that is there twice.
    """
    place = Path(path)
    suffix = place.suffix.lower() if suffix is None else suffix
    if suffix not in FORMATS:
        raise ConfigError(f"{path}: messages are read from {', '.join(FORMATS)}; say the format by the file's name.")
    try:
        if not place.stat().st_size:
            raise ConfigError(f"{path} is empty; not even an empty conversation is written so.")
        with long_cells(), place.open(encoding="utf-8-sig", newline="") as file:
            return _unique(str(path), FORMATS[suffix][1](file, str(path)))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is no text in UTF-8: {error.reason} at byte {error.start}.") from error


def _unique(path: str, rows: Iterator[Row]) -> list[RoledMessage]:
    places: dict[IDType, str] = {}
    messages = []
    for place, values in rows:
        message = _as_message(values, f"{path}, {place}", REQUIRED)
        if message.id in places:
            raise ConfigError(f"{path}, {place} has the id of {places[message.id]}: {message.id}.")
        places[message.id] = place
        messages.append(message)
    return messages


def _as_message(values: Any, place: str, required: Iterable[str] = ()) -> RoledMessage:
    if isinstance(values, RoledMessage):
        return values
    if not isinstance(values, Mapping):
        raise ConfigError(f"{place} is no message: expected an object, not {type(values).__name__}.")
    if missing := [name for name in required if name not in values]:
        raise ConfigError(f"{place} is no message: it has no {', '.join(missing)}.")
    try:
        return RoledMessage.from_dict(values)
    except (LionError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise ConfigError(f"{place} is no message: {error}") from error


def _write_csv(file: IO[str], rows: Iterable[dict[str, Any]]) -> None:
    writer = csv.DictWriter(file, _COLUMNS)
    writer.writeheader()
    writer.writerows({name: _json(value) if name in _AS_JSON else value for name, value in row.items()} for row in rows)


def _read_csv(file: IO[str], path: str) -> Iterator[Row]:
    reader = csv.DictReader(file, strict=True)
    number = 0
    try:
        header = reader.fieldnames or ()
        if missing := [name for name in REQUIRED if name not in header]:
            raise ConfigError(f"{path} lacks the columns {', '.join(missing)}.")
        if len(set(header)) < len(header):
            raise ConfigError(f"{path} has a column twice: {', '.join(header)}.")
        for number, row in enumerate(reader, 1):
            yield f"row {number}", _cells(row, f"{path}, row {number}")
    except csv.Error as error:
        raise ConfigError(f"{path}, row {number + 1} is no CSV: {error}.") from error


def _cells(row: dict[Any, Any], place: str) -> dict[str, Any]:
    if None in row or None in row.values():
        raise ConfigError(f"{place} has {'more' if None in row else 'fewer'} cells than the table has columns.")
    return {
        name: _parsed(cell, f"{place}, column {name}") if name in _AS_JSON else cell
        for name, cell in row.items()
        if cell != ""
    }


def _write_json(file: IO[str], rows: list[dict[str, Any]]) -> None:
    # A message a line, so that an error and a difference can be pointed at.
    file.write("[\n" + ",\n".join(map(_json, rows)) + "\n]\n" if rows else "[]\n")


def _read_json(file: IO[str], path: str) -> Iterator[Row]:
    values = _parsed(file.read(), path)
    if not isinstance(values, list):
        raise ConfigError(f"{path} holds no list of messages, but a {type(values).__name__}.")
    return ((f"row {number}", row) for number, row in enumerate(values, 1))


def _write_jsonl(file: IO[str], rows: list[dict[str, Any]]) -> None:
    # An empty conversation is an empty line, which tells it from a file that lost what was in it.
    file.write("".join(f"{_json(row)}\n" for row in rows) or "\n")


def _read_jsonl(file: IO[str], path: str) -> Iterator[Row]:
    for number, line in enumerate(file, 1):
        if line.strip():
            yield f"row {number}", _parsed(line, f"{path}, row {number}")


FORMATS: Final[dict[str, tuple[Any, Any]]] = {
    ".csv": (_write_csv, _read_csv),
    ".json": (_write_json, _read_json),
    ".jsonl": (_write_jsonl, _read_jsonl),
}
"""Writer and reader by suffix."""


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _parsed(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{place} is broken JSON: {error}") from error
