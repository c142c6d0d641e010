"""Behaviours for benchmarks from one process to another: the system's monotonic clock is the same for all."""

from __future__ import annotations

import os
import time
from pathlib import Path

from lion_broker import Branch, Instruction, Mail, Registry

__all__ = ["FILE", "read_stamps", "registry"]

FILE = "LION_BENCH_STAMPS"
"""The environment variable that names the file for stamps."""

registry = Registry()


@registry.behaviour("stamp", record=False)
async def stamp(branch: Branch, mail: Mail) -> None:
    """Write down how many seconds ago the mail was sent, by the time that is its text."""
    item = mail.package.item
    if isinstance(item, Instruction):
        _write(time.monotonic() - float(str(item.instruction)))


def _write(seconds: float) -> None:
    with Path(os.environ[FILE]).open("a") as file:
        file.write(f"{seconds}\n")


@registry.behaviour("note", record=False)
async def note(branch: Branch, mail: Mail) -> None:
    """Be there for a mail, and do nothing."""


def read_stamps(path: Path) -> list[float]:
    """The seconds that were written down so far."""
    return [float(line) for line in path.read_text().splitlines()] if path.exists() else []
