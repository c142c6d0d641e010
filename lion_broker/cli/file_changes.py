"""Notices when the Python files change that an app is made of; for development."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread

__all__ = ["folders_of", "snapshot", "watch"]

_MOST_FILES: Final = 10_000
_SECONDS: Final = 0.3
_LEFT_OUT: Final = frozenset(("__pycache__", "build", "dist", "node_modules", "site-packages", "venv"))


def folders_of(app: str) -> list[Path]:
    """Return where the files of `package.module:name` are: the current directory, and what lies elsewhere.

    That is the folder of a package, or the file of a module. Imports nothing.
    """
    here = Path.cwd()
    try:
        spec = find_spec(app.partition(":")[0].partition(".")[0])
    except (ImportError, ValueError):
        return [here]
    if spec is None:
        return [here]
    places = spec.submodule_search_locations or ([spec.origin] if spec.has_location and spec.origin else [])
    return [here, *(Path(place) for place in places if not Path(place).is_relative_to(here))]


def snapshot(places: list[Path]) -> dict[str, tuple[int, int]]:
    """Return when each Python file was changed and how large it is; hidden folders and environments are left out."""
    found: dict[str, tuple[int, int]] = {}
    for path in _files(places):
        try:
            status = os.stat(path)
        except OSError:  # it is gone again
            continue
        found[path] = status.st_mtime_ns, status.st_size
        if len(found) == _MOST_FILES:
            break
    return found


def _files(places: list[Path]) -> Iterator[str]:
    for place in places:
        if place.is_file():
            yield str(place)
        for folder, names, files in os.walk(place):
            names[:] = [name for name in names if name not in _LEFT_OUT and not name.startswith(".")]
            yield from (os.path.join(folder, name) for name in files if name.endswith(".py"))


async def watch(places: list[Path], on_change: Callable[[str], None]) -> None:
    """Look until cancelled, about three times a second; a change is told with one of its files."""
    before = await anyio.to_thread.run_sync(snapshot, places)
    while True:
        await anyio.sleep(_SECONDS)
        now = await anyio.to_thread.run_sync(snapshot, places)
        if changed := {path for path, _ in before.items() ^ now.items()}:
            before = now
            on_change(min(changed))
