"""A mutant: one small change of the source that does harm, and the test that must notice."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from types import ModuleType

from lion_broker.broker.library import Library, library

__all__ = ["MUTANTS", "Mutant", "in_library", "in_module"]


@dataclass(frozen=True)
class Mutant:
    """`old` becomes `new` in a `.lua` file of the library or a module of the package, where it must be exactly once.

    `caught_by` is a test of `tests.conformance`, or a function of `tests.mutants.scenarios` or `scenarios_of_blobs`.
    """

    name: str
    where: str
    old: str
    new: str
    caught_by: str

    def change(self, text: str) -> str:
        """Change a source; AssertionError when it is no longer what the mutant was made for."""
        assert text.count(self.old) == 1, f"{self.where} has {text.count(self.old)} times: {self.old}"
        return text.replace(self.old, self.new)


def in_library(mutant: Mutant) -> Library:
    """The library of functions with a mutant in it, under a name of its own."""
    true = library()
    text = files("lion_broker.broker").joinpath("lua", mutant.where).read_text()
    assert true.source.count(text) == 1, mutant.where
    source = true.source.replace(text, mutant.change(text))
    _, _, digest = true.name.rpartition("_")
    own = hashlib.sha256(source.encode()).hexdigest()[:8]
    return Library(*(text.replace(digest, own) for text in (true.name, true.prefix, source)))


def in_module(mutant: Mutant) -> ModuleType:
    """A module of the package with a mutant in it, beside the true one, which nobody sees changed."""
    true = import_module(mutant.where)
    assert true.__file__ is not None
    changed = ModuleType(mutant.where)
    changed.__package__ = true.__package__
    code = compile(mutant.change(Path(true.__file__).read_text()), true.__file__, "exec")
    exec(code, changed.__dict__)  # noqa: S102 - our own source
    return changed


def _read() -> dict[str, tuple[Mutant, ...]]:
    """The mutants of each table beside this file."""
    tables = sorted(Path(__file__).parent.glob("*.toml"))
    return {path.stem: tuple(Mutant(**row) for row in tomllib.loads(path.read_text())["mutant"]) for path in tables}


MUTANTS = _read()
"""All mutants, by the table in which they stand."""
