"""The tables of `README.md`, made from what they speak of; `python -m tests.model` writes them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from tests.model.search import Finding, explore
from tests.model.server import Server
from tests.model.variants import VARIANTS
from tests.model.worlds import WORLDS

__all__ = [
    "README",
    "VARIANTS_HEAD",
    "WORLDS_HEAD",
    "first_cells",
    "replace",
    "row",
    "search_variant",
    "search_world",
    "variant_row",
    "world_row",
]

README = Path(__file__).with_name("README.md")
WORLDS_HEAD = "| world | mails | workers | faults | states | steps |"
VARIANTS_HEAD = "| variant | what it does | world | law it breaks | steps |"


def row(*cells: object) -> str:
    """One line of a table."""
    return f"| {' | '.join(map(str, cells))} |"


def search_world(name: str) -> Finding:
    """Look at a whole world."""
    return explore(WORLDS[name], Server())[0]


def world_row(name: str, found: Finding) -> str:
    """What a world is, and how much of it there was to see."""
    world = WORLDS[name]
    faults = ", ".join(sorted(world.faults))
    return row(name, len(world.mails), world.workers, faults, f"{found.states:,}", f"{found.steps:,}")


def search_variant(variant: type[Server]) -> Finding:
    """Look for the harm that a variant does."""
    name, law = VARIANTS[variant]
    return explore(WORLDS[name], variant(), (law,))[0]


def variant_row(variant: type[Server], found: Finding) -> str:
    """What a variant does, and how it is seen."""
    name, _ = VARIANTS[variant]
    return row(f"`{variant.__name__}`", variant.__doc__, name, found.law, len(found.trace))


def first_cells(text: str, head: str) -> list[str]:
    """What the table under `head` has rows for."""
    _, _, after = text.partition(f"{head}\n")
    rows = re.match(r"\|[ -|]*\n((\|.*\n)*)", after)
    assert rows is not None, head
    return [line.split(" | ")[0].strip("| `") for line in rows.group(1).splitlines()]


def replace(text: str, head: str, rows: Iterable[str]) -> str:
    """A text with the rows of the table under `head` replaced."""
    pattern = re.compile(rf"(^{re.escape(head)}\n\|[ -|]*\n)(\|.*\n)*", re.MULTILINE)
    assert len(pattern.findall(text)) == 1, head
    body = "".join(f"{line}\n" for line in rows)
    return pattern.sub(lambda found: found.group(1) + body, text)
