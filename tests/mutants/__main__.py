"""Writes the list of `README.md` anew."""

from tests.mutants.tables import README, listed

README.write_text(listed(README.read_text()))
