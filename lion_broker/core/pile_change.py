"""PileChange: what the observer of a Pile is told."""

from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from lion_broker.core.concepts import Observable
from lion_broker.core.ids import IDType

__all__ = ["PileChange"]

T = TypeVar("T", bound=Observable)


@dataclass(frozen=True, slots=True)
class PileChange(Generic[T]):
    """One change of a Pile, as its observer sees it.

    - include: `items` are new, replaced or changed in place, `ids` are theirs; `index` is where the first of
      them stands now, or None when new ones went to the end and known ones kept their places.
    - exclude: `ids` have gone.
    - order: `ids` is the whole new order.
    """

    kind: Literal["include", "exclude", "order"]
    items: tuple[T, ...] = ()
    ids: tuple[IDType, ...] = ()
    index: int | None = None
