"""A mutant: one small change of the source that does harm, and the test that must notice."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import import_module
from importlib.resources import files
from types import ModuleType

from lion_broker.broker.library import Library, library

__all__ = ["Mutant", "in_library", "in_module"]


@dataclass(frozen=True)
class Mutant:
    """`old` becomes `new` in a `.lua` file of the library, or in a Python module; it must be there exactly once.

    `caught_by` is a test function of `tests.conformance`, or one of `tests.mutants.scenarios`.
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


def in_library(*mutants: Mutant) -> Library:
    """The library of functions with mutants in it, under a name of its own."""
    true = library()
    source = true.source
    for mutant in mutants:
        text = files("lion_broker.broker").joinpath("lua", mutant.where).read_text()
        assert source.count(text) == 1, mutant.where
        source = source.replace(text, mutant.change(text))
    _, _, digest = true.name.rpartition("_")
    own = hashlib.sha256(source.encode()).hexdigest()[:8]
    return Library(*(text.replace(digest, own) for text in (true.name, true.prefix, source)))


def in_module(mutant: Mutant) -> ModuleType:
    """A module of the package with a mutant in it, beside the true one, which nobody sees changed."""
    true = import_module(mutant.where)
    assert true.__file__ is not None
    changed = ModuleType(mutant.where)
    changed.__package__ = true.__package__
    with open(true.__file__) as source:
        code = compile(mutant.change(source.read()), true.__file__, "exec")
    exec(code, changed.__dict__)  # noqa: S102 - our own source
    return changed
