"""Pile: a collection of elements, in order, each once, for threads and for tasks."""

from collections.abc import AsyncIterator, Iterable, Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar, overload
from uuid import UUID

from lion_broker.core import html
from lion_broker.core.concepts import Observable
from lion_broker.core.ids import IDType, validate_order
from lion_broker.core.pile_algebra import PileAlgebra
from lion_broker.core.pile_change import PileChange
from lion_broker.core.pile_files import read_csv, read_json, write_csv, write_json
from lion_broker.errors import ConfigError, ItemExistsError, ItemNotFoundError

if TYPE_CHECKING:
    from lion_broker.core.arrow import Table
    from lion_broker.core.frames import DataFrame

__all__ = ["Pile", "PileChange", "pile"]

T = TypeVar("T", bound=Observable)
D = TypeVar("D")


class _Missing(Enum):
    """Tells an argument that was left out from None."""

    MISSING = 0

    def __repr__(self) -> str:
        return "..."


MISSING: Final = _Missing.MISSING


class Pile(PileAlgebra[T]):
    """A collection of elements in a fixed order, each of them once.

    Keys are positions, slices, ids (also as text), elements, names (the `.name` of exactly one item; finding
    it is a search), or lists of these. A missing key raises ItemNotFoundError, which is a ValueError and a
    KeyError; an ambiguous name raises a ValueError that lists the ids. An empty pile is false.

    Every operation is atomic for threads. `async with pile:` keeps other tasks and threads out across awaits;
    the same task may enter again and use every method inside. Verbs with an `a` in front wait for that; the
    plain ones never wait for a task of their own event loop (see TaskLock). Iteration goes over a snapshot.
    """

    def __init__(
        self,
        collections: Any = None,
        item_type: Any = None,
        order: Any = None,
        strict_type: bool = False,
        **fields: Any,
    ) -> None:
        """Make a pile of elements, or of their dicts.

        `item_type`: the class or classes that items may have, exactly these when `strict_type`; TypeError for
        other items. `order`: the ids of all items in the order they shall have; ValueError for other ids.
        """
        self._born_with(fields)
        self._fill(collections, item_type, order, strict_type)

    def include(self, item: Any, /) -> None:
        """Take in one or many items: new ones at the end, known ones replace their older self in place."""
        items = self._read(item)
        with self._lock:
            self._store(items)

    def append(self, item: Any, /) -> None:
        """Do the same as `include`."""
        self.include(item)

    def update(self, other: Any, /) -> None:
        """Do the same as `include`."""
        self.include(other)

    def insert(self, index: int, item: Any, /) -> None:
        """Put new items before the position `index`; ItemExistsError, and no change, if one is here."""
        items = self._read(item)
        with self._lock:
            self._refuse_known(items)
            self._place(slice(index, None).indices(len(self))[0], items)

    def exclude(self, item: Any, /) -> None:
        """Let go of one or many items by element, id or name; unknown ones are ignored."""
        keys = self._keys(item)
        with self._lock:
            self._discard([id_ for key in keys if key in self for id_ in self._locate(key)])

    def remove(self, item: Any, /) -> None:
        """Remove one or many items by element, id or name.

        Raises ItemNotFoundError, and removes nothing, when one of them is not here.
        """
        if isinstance(item, int | slice):
            raise TypeError("remove takes elements, ids or names; use pop or del for positions.")
        keys = self._keys(item)
        with self._lock:
            self._discard(self._locate(keys))

    def clear(self) -> None:
        """Remove all items."""
        with self._lock:
            self._discard(list(self._ordered()))

    @overload
    def get(self, key: int | str | UUID | Observable) -> T: ...
    @overload
    def get(self, key: int | str | UUID | Observable, default: D) -> T | D: ...
    @overload
    def get(self, key: Any, default: Any = MISSING) -> Any: ...
    def get(self, key: Any, default: Any = MISSING) -> Any:
        """Return `pile[key]`, or `default` when it is given and the key is missing."""
        try:
            return self[key]
        except ItemNotFoundError:
            if default is MISSING:
                raise
            return default

    @overload
    def pop(self, key: int | str | UUID | Observable = ...) -> T: ...
    @overload
    def pop(self, key: int | str | UUID | Observable, default: D) -> T | D: ...
    @overload
    def pop(self, key: slice) -> Self: ...
    @overload
    def pop(self, key: Any, default: Any = MISSING) -> Any: ...
    def pop(self, key: Any = -1, default: Any = MISSING) -> Any:
        """Remove and return an item, or a pile of them for a slice or for a list of several keys."""
        with self._lock:
            try:
                ids = self._ids_at(key)
            except ItemNotFoundError:
                if default is MISSING:
                    raise
                return default
            items = self._discard(ids)
            return items[0] if len(items) == 1 and not isinstance(key, slice) else self._derive(items)

    def popleft(self) -> T:
        """Remove and return the first item; ItemNotFoundError when the pile is empty."""
        return self.pop(0)

    def keys(self) -> list[IDType]:
        """Return the ids in order."""
        with self._lock:
            return list(self._ordered())

    def values(self) -> list[T]:
        """Return the items in order."""
        return self._snapshot()

    def items(self) -> list[tuple[IDType, T]]:
        """Return ids and items in order."""
        return [(item.id, item) for item in self._snapshot()]

    def size(self) -> int:
        """Return the number of items."""
        return len(self)

    def is_empty(self) -> bool:
        """Return whether there are no items."""
        return not self

    def is_homogenous(self) -> bool:
        """Return whether all items have the same class."""
        return len({type(item) for item in self}) < 2

    @overload
    def __getitem__(self, key: int | str | UUID | Observable) -> T: ...
    @overload
    def __getitem__(self, key: slice) -> Self: ...
    @overload
    def __getitem__(self, key: Sequence[Any]) -> T | list[T]: ...
    def __getitem__(self, key: Any) -> Any:
        with self._lock:
            items = [self._item(id_) for id_ in self._ids_at(key)]
            if isinstance(key, slice):
                return self._derive(items)
            return items[0] if len(items) == 1 else items

    def __setitem__(self, key: Any, item: Any) -> None:
        """Replace the items at a position or slice, or add items under their own ids."""
        items = self._read(item)
        with self._lock:
            if isinstance(key, int | slice):
                self._replace_at(key, items)
                return
            self._refuse_known(items)
            if validate_order(self._keys(key)) != [item.id for item in items]:
                raise ItemNotFoundError("The key is not the id of the item that is to be stored under it.")
            self._store(items)

    def __delitem__(self, key: Any) -> None:
        with self._lock:
            self._discard(self._ids_at(key))

    def _ids_at(self, key: Any) -> list[IDType]:
        if isinstance(key, int):
            return [self._at(key)]
        if isinstance(key, slice):
            return list(self._ordered())[key]
        return self._locate(key)

    def _replace_at(self, key: int | slice, items: list[T]) -> None:
        ids = self._ids_at(key)
        if isinstance(key, slice) and key.step not in (None, 1):
            raise ConfigError("Items are stored at a position, or a slice without a step.")
        self._refuse_known([item for item in items if item.id not in ids])
        start = range(len(self))[key] if isinstance(key, int) else range(len(self))[key].start
        gone = self._discard(ids)
        try:
            self._place(start, items)
        except Exception:
            self._place(start, gone)
            raise

    def _refuse_known(self, items: Iterable[T]) -> None:
        known = [item.id for item in items if item.id in self._items]
        if known:
            raise ItemExistsError(f"These are in the pile already: {', '.join(known)}.")

    def _derive(self, items: Iterable[T], **fields: Any) -> Self:
        return type(self)(list(items), item_type=self._types, strict_type=self._strict, **fields)

    # The same verbs for coroutines: each waits until no other task holds the pile

    async def ainclude(self, item: Any, /) -> None:
        """Do `include` when no other task holds the pile."""
        async with self:
            self.include(item)

    async def aupdate(self, other: Any, /) -> None:
        """Do `update` when no other task holds the pile."""
        async with self:
            self.update(other)

    async def aexclude(self, item: Any, /) -> None:
        """Do `exclude` when no other task holds the pile."""
        async with self:
            self.exclude(item)

    async def aremove(self, item: Any, /) -> None:
        """Do `remove` when no other task holds the pile."""
        async with self:
            self.remove(item)

    async def aclear(self) -> None:
        """Do `clear` when no other task holds the pile."""
        async with self:
            self.clear()

    async def apop(self, key: Any = -1, default: Any = MISSING) -> Any:
        """Do `pop` when no other task holds the pile."""
        async with self:
            return self.pop(key, default)

    async def aget(self, key: Any, default: Any = MISSING) -> Any:
        """Do `get` when no other task holds the pile."""
        async with self:
            return self.get(key, default)

    async def asetitem(self, key: Any, item: Any, /) -> None:
        """Do `pile[key] = item` when no other task holds the pile."""
        async with self:
            self[key] = item

    async def __aiter__(self) -> AsyncIterator[T]:
        for item in self:
            yield item

    # Tables and files

    def to_df(self, columns: Sequence[str] | None = None) -> "DataFrame":
        """Return a frame with a row an item and a column a field of `to_dict()`, or the columns asked for."""
        from lion_broker.core.frames import pile_to_frame

        return pile_to_frame(self, columns)

    def to_json_file(self, path: str | Path, /) -> None:
        """Write the whole pile to a file as JSON, for `from_json_file`."""
        write_json(self, Path(path))

    @classmethod
    def from_json_file(cls, path: str | Path, /) -> Self:
        """Return the pile that `to_json_file` wrote."""
        return cls.from_dict(read_json(Path(path)))

    def to_csv_file(self, path: str | Path, /) -> None:
        """Write the items to a file as CSV, a row an item; lists and dicts are JSON inside their cells."""
        write_csv(self, Path(path))

    @classmethod
    def from_csv_file(cls, path: str | Path, /) -> Self:
        """Return a pile of the items that `to_csv_file` wrote; the pile itself has a new id."""
        return cls(read_csv(Path(path)))

    def to_arrow(self, columns: Sequence[str] | None = None) -> "Table":
        """Return an Arrow table with a row an item and a column a field of `to_dict()`, or the columns asked for.

        Lists and dicts are JSON in their cells, times are seconds since the epoch. Raises ConfigError without the extra
        `arrow`.
        """
        from lion_broker.core.arrow import rows_to_table

        items: list[Any] = list(self)
        return rows_to_table([item.to_dict() for item in items], columns)

    def to_parquet(self, path: str | Path, /) -> None:
        """Write the items to a Parquet file, for `from_parquet`. Raises ConfigError without the extra `arrow`."""
        from lion_broker.core.arrow import write_table

        write_table(self.to_arrow(), Path(path))

    @classmethod
    def from_parquet(cls, path: str | Path, /) -> Self:
        """Return a pile of the items that `to_parquet` wrote; the pile itself has a new id."""
        from lion_broker.core.arrow import read_rows

        return cls(read_rows(Path(path)))

    def _repr_html_(self) -> str:
        items = self[: html.ROWS] if len(self) > html.ROWS else self
        rows = [(str(item.id), type(item).__name__, str(getattr(item, "text", item))) for item in items]
        return html.table_html(repr(self), ("id", "type", "text"), rows, len(self) - len(rows))


def pile(
    collections: Any = None,
    /,
    item_type: Any = None,
    order: Any = None,
    strict_type: bool = False,
    **fields: Any,
) -> Pile[Any]:
    """Return a Pile; the arguments are those of the class."""
    return Pile(collections, item_type, order, strict_type, **fields)
