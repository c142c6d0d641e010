"""Progression: an order of ids, in which an id may stand more than once."""

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, Self, overload

from lion_broker.core.concepts import Ordering
from lion_broker.core.element import Element
from lion_broker.core.ids import ID, IDType, validate_order
from lion_broker.errors import ConfigError, IDError, ItemNotFoundError

from .numbers import counted

__all__ = ["Progression", "prog"]

# Past pydantic, which looks every name up, for what is no field.
_set = object.__setattr__


class Progression(Element, Ordering[IDType]):
    """An ordered list of ids, with an optional name.

    Appending, both ends, and asking whether an id is here take constant time. Equal are two progressions with
    the same order and name; `<` compares the orders. One without ids is false.
    """

    __slots__ = ("_counts", "_order")

    if TYPE_CHECKING:
        _order: deque[IDType]
        _counts: Counter[IDType] | None

    name: str | None = None

    def __init__(self, order: Any = None, name: str | None = None, **fields: Any) -> None:
        self._born_with(fields)
        self.__dict__["name"] = name
        _set(self, "_order", deque(validate_order(order)))
        # How often each id stands here; made when it is first asked for.
        _set(self, "_counts", None)

    @property
    def order(self) -> list[IDType]:
        """A copy of the ids in order; the progression itself changes only through its methods."""
        return list(self._order)

    @classmethod
    def of_ids(cls, ids: Iterable[IDType], name: str | None = None) -> Self:
        """Return a progression of ids that need no checking."""
        progression = cls(name=name)
        progression._order.extend(ids)
        return progression

    def include(self, item: ID.RefSeq, /) -> bool:
        """Append the ids that are not here yet, and return whether the reference was understood.

        False: an object that is neither element nor id. Raises IDError for a text that is no id.
        """
        ids = _ids_or_none(item)
        if ids is None:
            return False
        for id_ in ids:
            if id_ not in self._counted():
                self._add(id_)
        return True

    def exclude(self, item: ID.RefSeq, /) -> bool:
        """Remove the ids wherever they stand, unknown ones are ignored; return as `include` does."""
        ids = _ids_or_none(item)
        if ids is None:
            return False
        self._drop(ids)
        return True

    def append(self, item: ID.RefSeq, /) -> None:
        """Append the ids, also those that are here already."""
        self._append_all(validate_order(item))

    def extend(self, other: "Progression", /) -> None:
        """Append all ids of another progression; ValueError for anything else."""
        if not isinstance(other, Progression):
            raise ConfigError(f"A Progression is extended by a Progression only, not by {type(other).__name__}.")
        self._append_all(other.order)

    def insert(self, index: int, item: ID.RefSeq, /) -> None:
        """Put the ids before the position `index`, in their order."""
        order = list(self._order)
        order[index:index] = validate_order(item)
        self._replace(order)

    def pop(self, index: int = -1) -> IDType:
        """Remove and return the id at `index`; ItemNotFoundError when there is none."""
        if index not in (0, -1):
            id_ = self[index]
            del self._order[index]
        elif not self._order:
            raise ItemNotFoundError("The progression is empty.")
        else:
            id_ = self._order.popleft() if index == 0 else self._order.pop()
        self._uncount(id_)
        return id_

    def popleft(self) -> IDType:
        """Remove and return the first id; ItemNotFoundError when there is none."""
        return self.pop(0)

    def remove(self, item: ID.RefSeq, /) -> None:
        """Remove every occurrence of each of the ids.

        Raises ItemNotFoundError, and changes nothing, when one of them is not here.
        """
        ids = validate_order(item)
        missing = [id_ for id_ in ids if id_ not in self._counted()]
        if missing:
            raise ItemNotFoundError(f"These ids are not in the progression: {', '.join(missing)}.")
        self._drop(ids)

    def clear(self) -> None:
        """Remove all ids."""
        self._replace([])

    def count(self, item: ID.Ref, /) -> int:
        """Return how often an id stands here."""
        return self._counted()[ID.get_id(item)]

    def index(self, item: ID.Ref, start: int = 0, end: int | None = None) -> int:
        """Return the first position of an id between `start` and `end`; ItemNotFoundError without one."""
        id_ = ID.get_id(item)
        try:
            return self._order.index(id_, start, len(self._order) if end is None else end)
        except ValueError:
            raise ItemNotFoundError(f"The id {id_} is not in the progression.") from None

    def to_dict(self) -> dict[str, Any]:
        """Return the progression as plain JSON values."""
        return super().to_dict() | {"order": [str(id_) for id_ in self._order]}

    def __contains__(self, item: Any) -> bool:
        if item is None:
            return False
        try:
            ids = validate_order(item)
        except ValueError:
            return False
        return all(id_ in self._counted() for id_ in ids)

    def __len__(self) -> int:
        return len(self._order)

    def __bool__(self) -> bool:
        return bool(self._order)

    def __iter__(self) -> Iterator[IDType]:  # type: ignore[override]  # pydantic iterates over fields
        return iter(list(self._order))

    def __reversed__(self) -> Iterator[IDType]:
        return iter(self.order[::-1])

    @overload
    def __getitem__(self, key: int) -> IDType: ...
    @overload
    def __getitem__(self, key: slice) -> "Progression": ...
    def __getitem__(self, key: int | slice) -> "IDType | Progression":
        if isinstance(key, slice):
            return Progression.of_ids(self.order[key], self.name)
        if not isinstance(key, int):
            raise TypeError(f"A position is an int or a slice, not {type(key).__name__}.")
        try:
            return self._order[key]
        except IndexError:
            raise ItemNotFoundError(f"There is no position {key} among {counted(len(self._order), 'id')}.") from None

    def __setitem__(self, key: int | slice, item: ID.RefSeq) -> None:
        ids = validate_order(item)
        order = self.order
        if isinstance(key, slice):
            order[key] = ids
        else:
            key = key + len(order) if key < 0 else key
            order[key : key + 1] = ids
        self._replace(order)

    def __delitem__(self, key: int | slice) -> None:
        order = self.order
        try:
            del order[key]
        except IndexError:
            raise ItemNotFoundError(f"There is no position {key} among {counted(len(order), 'id')}.") from None
        self._replace(order)

    def __add__(self, other: ID.RefSeq) -> "Progression":
        return Progression.of_ids([*self._order, *validate_order(other)], self.name)

    def __radd__(self, other: ID.RefSeq) -> "Progression":
        return Progression.of_ids([*validate_order(other), *self._order], self.name)

    def __iadd__(self, other: ID.RefSeq) -> Self:
        self.append(other)
        return self

    def __sub__(self, other: ID.RefSeq) -> "Progression":
        rest = Progression.of_ids(self._order, self.name)
        rest._drop(validate_order(other))
        return rest

    def __isub__(self, other: ID.RefSeq) -> Self:
        self.remove(other)
        return self

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Progression):
            return NotImplemented
        return self._order == other._order and self.name == other.name

    def __hash__(self) -> int:
        # Equal progressions must hash alike, and their order may change: so all of them share one hash.
        return hash(Progression)

    def __lt__(self, other: "Progression") -> bool:
        return self._order < other._order

    def __le__(self, other: "Progression") -> bool:
        return self._order <= other._order

    def __gt__(self, other: "Progression") -> bool:
        return self._order > other._order

    def __ge__(self, other: "Progression") -> bool:
        return self._order >= other._order

    def __copy__(self) -> "Progression":
        return Progression(self._order, self.name, **self._identity())

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> "Progression":
        return self.__copy__()

    def __repr__(self) -> str:
        shown = ", ".join(islice(self._order, 3)) + (", …" if len(self._order) > 3 else "")
        return f"Progression(name={self.name!r}, {counted(len(self._order), 'id')}: [{shown}])"

    def _counted(self) -> Counter[IDType]:
        if self._counts is None:
            self._counts = Counter(self._order)
        return self._counts

    def _add(self, id_: IDType) -> None:
        self._order.append(id_)
        if self._counts is not None:
            self._counts[id_] += 1

    def _append_all(self, ids: Iterable[IDType]) -> None:
        for id_ in ids:
            self._add(id_)

    def _uncount(self, id_: IDType) -> None:
        if self._counts is not None:
            self._counts[id_] -= 1
            if not self._counts[id_]:
                del self._counts[id_]

    def _drop(self, ids: Iterable[IDType]) -> None:
        counts = self._counted()
        gone = set(ids) & counts.keys()
        # First in, first out is the usual way to go, and the quick one.
        while self._order and self._order[0] in gone and counts[self._order[0]] == 1:
            gone.remove(self.popleft())
        if gone:
            self._order = deque(id_ for id_ in self._order if id_ not in gone)
            for id_ in gone:
                del counts[id_]

    def _replace(self, order: list[IDType]) -> None:
        self._order = deque(order)
        self._counts = None


def prog(order: Any = None, name: str | None = None, /) -> Progression:
    """Return a Progression of the ids that `order` stands for."""
    return Progression(order, name)


def _ids_or_none(item: Any) -> list[IDType] | None:
    try:
        return validate_order(item)
    except IDError:
        raise
    except ValueError:
        return None
