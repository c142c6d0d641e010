"""Set algebra of piles: the order of the left one, then that of the right one."""

from typing import Any, Self, TypeVar

from lion_broker.core.concepts import Observable
from lion_broker.core.pile_store import PileStore

__all__ = ["PileAlgebra"]

T = TypeVar("T", bound=Observable)


class PileAlgebra(PileStore[T]):
    """The operators `| & - ^` and their in-place forms; the results are of the kind of the left pile."""

    def __or__(self, other: PileStore[T]) -> Self:
        """Return the items of both; of an item that both have, the object of `other`."""
        if not isinstance(other, PileStore):
            return NotImplemented
        return self._derive((_by_id(self) | _by_id(other)).values())

    def __and__(self, other: PileStore[T]) -> Self:
        """Return the items that `other` has too."""
        if not isinstance(other, PileStore):
            return NotImplemented
        theirs = _by_id(other)
        return self._derive(item for item in self if item.id in theirs)

    def __sub__(self, other: PileStore[T]) -> Self:
        """Return the items that `other` has not."""
        if not isinstance(other, PileStore):
            return NotImplemented
        theirs = _by_id(other)
        return self._derive(item for item in self if item.id not in theirs)

    def __xor__(self, other: PileStore[T]) -> Self:
        """Return the items that only one of the two has."""
        if not isinstance(other, PileStore):
            return NotImplemented
        ours, theirs = _by_id(self), _by_id(other)
        both = ours.keys() & theirs.keys()
        return self._derive(item for id_, item in (ours | theirs).items() if id_ not in both)

    def __ior__(self, other: PileStore[T]) -> Self:
        if not isinstance(other, PileStore):
            return NotImplemented
        self.include(other)
        return self

    def __iand__(self, other: PileStore[T]) -> Self:
        if not isinstance(other, PileStore):
            return NotImplemented
        self.exclude([item for item in self if item.id not in _by_id(other)])
        return self

    def __isub__(self, other: PileStore[T]) -> Self:
        if not isinstance(other, PileStore):
            return NotImplemented
        self.exclude(other)
        return self

    def __ixor__(self, other: PileStore[T]) -> Self:
        if not isinstance(other, PileStore):
            return NotImplemented
        theirs = _by_id(other)
        with self._lock:
            ours = _by_id(self)
            self.exclude([item for id_, item in ours.items() if id_ in theirs])
            self.include([item for id_, item in theirs.items() if id_ not in ours])
        return self


def _by_id(pile: PileStore[T]) -> dict[Any, T]:
    return {item.id: item for item in pile}
