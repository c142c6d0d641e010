"""Frozen dataclasses that are made quickly: the values, of which every turn makes some, and the classes themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import Field, dataclass, fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any

__all__ = ["lean"]

if TYPE_CHECKING:
    # For whoever checks types these are dataclasses like others, and frozen: an assignment to a field is an error.
    from dataclasses import dataclass as lean
else:

    def lean(*, frozen: bool, slots: bool) -> Callable[[type], Any]:
        """Return the decorator of a dataclass that is frozen by its type, and by hash and comparison, alone.

        Python's own way to freeze one has each field set by a call: six times as long for a commit. It also compiles
        six functions a class, which for those of a worker is a tenth of its start; here all but one are the same.
        """

        def decorate(kind: type) -> Any:
            made = dataclass(slots=slots, eq=False, repr=False)(kind)
            every = fields(made)
            made.__repr__ = _repr_of([field.name for field in every if field.repr])
            compared = [field for field in every if field.compare]
            made.__eq__ = _equality_of(compared)
            made.__hash__ = _hash_of([field for field in compared if field.hash is not False]) if frozen else None
            return made

        return decorate


def _values_of(some: list[Field[Any]]) -> Callable[[Any], Any]:
    """What reads the values of fields: a tuple of them, or of a single one its value."""
    return attrgetter(*(field.name for field in some)) if some else lambda one: ()


def _repr_of(names: list[str]) -> Callable[[Any], str]:
    def show(self: Any) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{type(self).__qualname__}({shown})"

    return show


def _equality_of(compared: list[Field[Any]]) -> Callable[[Any, Any], Any]:
    values = _values_of(compared)

    def equal(self: Any, other: object) -> Any:
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    return equal


def _hash_of(hashed: list[Field[Any]]) -> Callable[[Any], int]:
    values = _values_of(hashed)

    def digest(self: Any) -> int:
        return hash(values(self))

    return digest
