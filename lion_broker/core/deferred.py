"""Deferred: stands in a Pile for an item that is made when somebody looks at it."""

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from lion_broker.core.ids import IDType

__all__ = ["Deferred"]

T = TypeVar("T")


class Deferred(Generic[T]):
    """What an item will be; it is made once, by the Pile that it stands in, and only `Pile.tail` shows this instead."""

    __slots__ = ("_made", "id")

    id: "IDType"
    _made: T | None

    def made(self) -> T:
        """Return the item, the same each time."""
        if self._made is None:
            self._made = self._make()
        return self._made

    def _make(self) -> T:
        """Make the item; what it is made of has been looked at before, so that this cannot fail."""
        # No abstract method: whether something is a Deferred is asked of every item, and an ABC answers slowly.
        raise NotImplementedError
