"""Piles in files: JSON for the whole pile, CSV for its items."""

import csv
import json
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lion_broker.core.element import Element
from lion_broker.errors import ConfigError

__all__ = ["long_cells", "read_csv", "read_json", "write_csv", "write_json"]

_limit_lock = threading.RLock()


@contextmanager
def long_cells() -> Iterator[None]:
    """Within this, the csv module reads cells of any length; it knows one limit for the whole process."""
    with _limit_lock:
        before = csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
        try:
            yield
        finally:
            csv.field_size_limit(before)


def write_json(pile: Element, path: Path) -> None:
    """Write the dict of a pile as indented JSON."""
    path.write_text(json.dumps(pile.to_dict(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """Return the dict that `write_json` wrote; ValueError, naming the file, when it is none."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"{path} is no JSON file: {error}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path} holds no pile, which is a JSON object.")
    return values


def write_csv(items: Iterable[Any], path: Path) -> None:
    """Write a row an item, a column a field; lists, dicts and numbers are JSON in their cells."""
    rows = [item.to_dict() for item in items]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)


def read_csv(path: Path) -> list[dict[str, Any]]:
    """Return the dicts of the items that `write_csv` wrote."""
    with long_cells(), path.open(encoding="utf-8", newline="") as file:
        return [{name: _value(cell) for name, cell in row.items() if cell != ""} for row in csv.DictReader(file)]


def _cell(value: Any) -> str:
    """Return text as it is, unless it reads as JSON, and everything else as JSON."""
    plain = isinstance(value, str) and value != "" and _value(value) is value
    return value if plain else json.dumps(value, ensure_ascii=False)


def _value(cell: str) -> Any:
    try:
        return json.loads(cell)
    except ValueError:
        return cell
