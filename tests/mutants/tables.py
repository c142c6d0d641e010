"""The list of `README.md`, made from the tables; `python -m tests.mutants` writes it."""

from __future__ import annotations

from pathlib import Path

from tests.model.tables import replace, row
from tests.mutants.mutant import MUTANTS

__all__ = ["README", "listed"]

README = Path(__file__).with_name("README.md")
HEAD = "| mutant | in | caught by |"


def listed(text: str) -> str:
    """The text with the list as it should be."""
    rows = [
        row(mutant.name, f"`{mutant.where.rpartition('lion_broker.')[2]}`", f"`{mutant.caught_by}`")
        for table in MUTANTS.values()
        for mutant in table
    ]
    return replace(text, HEAD, rows)
