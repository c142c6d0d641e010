"""What a Pile holds: items by id, their order, the lock, and who is told about changes."""

from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic, Literal, Self, TypeVar
from uuid import UUID

from lion_broker.core.collector import collector_paused
from lion_broker.core.concepts import Collective, Observable, Watchable
from lion_broker.core.deferred import Deferred
from lion_broker.core.element import Element
from lion_broker.core.ids import ID, IDType, to_list_type, validate_order
from lion_broker.core.lock import TaskLock
from lion_broker.core.pile_change import PileChange
from lion_broker.core.pile_items import Listener, item_types, written
from lion_broker.core.progression import Progression
from lion_broker.errors import ConfigError, ItemNotFoundError

from .numbers import counted

__all__ = ["PileStore"]

T = TypeVar("T", bound=Observable)

# Past pydantic, which looks every name up, for what is no field.
_set = object.__setattr__
_MANY = 1000


class PileStore(Element, Collective[T], Generic[T]):
    """The state of a Pile and the few ways to change it; `Pile` makes its verbs of these."""

    __slots__ = (
        "_edits",
        "_gone",
        "_items",
        "_line",
        "_listener",
        "_lock",
        "_observer",
        "_strict",
        "_types",
        "_unmade",
    )

    if TYPE_CHECKING:
        _items: dict[IDType, T | Deferred[T]]
        _line: deque[IDType]
        _gone: set[IDType]
        _types: frozenset[type[T]] | None
        _strict: bool
        _lock: TaskLock
        _edits: int
        _unmade: bool
        _observer: Callable[[PileChange[T]], None] | None
        _listener: Listener | None

    def _fill(self, collections: Any, item_type: Any, order: Any, strict_type: bool) -> None:
        """Set the state of a new pile."""
        _set(self, "_lock", TaskLock())
        _set(self, "_edits", 0)
        _set(self, "_unmade", False)
        _set(self, "_observer", None)
        _set(self, "_listener", None)
        _set(self, "_types", item_types(item_type))
        _set(self, "_strict", strict_type)
        # Nearly all piles are made empty, some for each branch.
        _set(self, "_items", {} if collections is None else {item.id: item for item in self._read(collections)})
        self._line_up(self._items if order is None else self._permutation(validate_order(order)))

    @classmethod
    def __class_getitem__(cls, item: Any) -> Any:
        """Keep `Pile[Branch]` the class Pile: pydantic would make a new model of it."""
        return cls

    @property
    def item_type(self) -> frozenset[type[T]] | None:
        """The classes that items may have, or None for any."""
        return self._types

    @property
    def strict_type(self) -> bool:
        """Whether subclasses of `item_type` are refused."""
        return self._strict

    @property
    def progression(self) -> Progression:
        """A copy of the order; assign ids, each exactly once, to change the order."""
        with self._lock:
            return Progression.of_ids(self._ordered())

    @progression.setter
    def progression(self, order: Any) -> None:
        ids = validate_order(order)
        with self._lock:
            wanted = self._permutation(ids)
            self._tell("order", ids=tuple(wanted))
            self._edits += 1
            self._line_up(wanted)

    @property
    def edits(self) -> int:
        """How often there was a change that was not an addition at the end.

        Changes inside of items count where the pile is observed, which is when it hears of them.
        """
        return self._edits

    def last(self, count: int) -> list[T]:
        """Return the last `count` items in order, in a time that grows with their number only."""
        with self._lock:
            return [self._item(one.id) for one in self.tail(count)]

    def tail(self, count: int) -> list[T | Deferred[T]]:
        """Return what `last` does, but leave a Deferred for each item that nobody has looked at yet."""
        with self._lock:
            items = [self._items[id_] for id_ in islice(reversed(self._ordered()), max(count, 0))]
            items.reverse()
            return items

    def recall(self, items: Sequence[T | Deferred[T]]) -> None:
        """Take in items that are stored already, new ones at the end; the observer hears of later changes of them only.

        A Deferred becomes its item when somebody looks at that.
        """
        with self._lock:
            if len(items) > _MANY:
                with collector_paused():
                    self._recall(items)
            else:
                self._recall(items)

    def _recall(self, items: Sequence[T | Deferred[T]]) -> None:
        for item in items:
            if not isinstance(item, Deferred):
                self._put((item,))
                continue
            if not self._unmade:
                _set(self, "_unmade", True)
            if item.id in self._items or item.id in self._gone:
                self._put((item,))
            else:
                # As nearly all are. Nobody can change it before it is made, and then it is watched.
                self._line.append(item.id)
                self._items[item.id] = item

    def withdraw(self, refs: Iterable[ID.Ref]) -> list[T]:
        """Remove those of the given items that are here, and return them; others are ignored."""
        with self._lock:
            return self._discard([id_ for id_ in map(ID.get_id, refs) if id_ in self._items])

    def observe(self, callback: Callable[[PileChange[T]], None] | None, /) -> None:
        """Call `callback(change)` at every change of members, items or order; None ends it.

        There is one observer at a time. It is called inside the lock, in the order of the changes, before they take
        effect, and must not wait; what it raises prevents the change. Items that tell of changes made in place
        (messages do) are watched for as long.
        """
        with self._lock:
            for item in self._items.values():
                self._unwatch(item)
            _set(self, "_observer", callback)
            self._watch(self._items.values())

    def __enter__(self) -> Self:
        self._lock.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._lock.__exit__(*error)

    async def __aenter__(self) -> Self:
        await self._lock.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self._lock.__aexit__(*error)

    def __len__(self) -> int:
        return len(self._items)

    def __bool__(self) -> bool:
        return bool(self._items)

    def __iter__(self) -> Iterator[T]:  # type: ignore[override]  # pydantic iterates over fields
        return iter(self._snapshot())

    def __contains__(self, key: Any) -> bool:
        if type(key) is IDType:
            return key in self._items
        with self._lock:
            try:
                self._locate(key)
            except ItemNotFoundError:
                return False
            except ValueError:  # an ambiguous name is here, more than once; other objects are not
                return isinstance(key, str)
            return True

    def to_dict(self) -> dict[str, Any]:
        """Return the pile as plain JSON values, `collections` in the order of the pile."""
        with self._lock:
            plain = super().to_dict()
            plain["collections"] = [written(item) for item in self._snapshot()]
            if self._types:
                plain["item_type"] = sorted(kind.__name__ for kind in self._types)
            if self._strict:
                plain["strict_type"] = True
            return plain

    def __copy__(self) -> Self:
        return self._derive(self, **self._identity())

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        return self._derive(deepcopy(self._snapshot(), memo), **self._identity())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({counted(len(self), 'item')}, id={self.id})"

    def _snapshot(self) -> list[T]:
        with self._lock:
            self._make_all()
            return [self._items[id_] for id_ in self._ordered()]  # type: ignore[misc]  # all of them are made

    def _item(self, id_: IDType) -> T:
        """An item that is here, made now where it was not before."""
        item = self._items[id_]
        if not isinstance(item, Deferred):
            return item
        made = item.made()
        self._items[id_] = made
        self._watch([made])
        return made

    def _make_all(self) -> None:
        if self._unmade:
            with collector_paused():
                for id_ in self._items:
                    self._item(id_)
            self._unmade = False

    @abstractmethod
    def _derive(self, items: Iterable[T], **fields: Any) -> Self:
        """Return a new pile of the same kind."""

    # How keys and arguments are read

    def _read(self, value: Any) -> list[T]:
        """Return one or many items, dicts of items revived, each checked against the item type."""
        if isinstance(value, Observable) and not isinstance(value, Collective):
            self._check(value)
            return [value]  # type: ignore[list-item]  # checked above
        items = to_list_type(value)
        if any(issubclass(kind, Mapping) for kind in set(map(type, items))):
            items = [Element.from_dict(item) if isinstance(item, Mapping) else item for item in items]
        # One of each kind, for there may be very many of the same.
        for item in {type(item): item for item in items}.values():
            self._check(item)
        return items

    @staticmethod
    def _keys(value: Any) -> list[Any]:
        """Return one or many keys as a list; a pile stands for its items, any other element for itself."""
        if isinstance(value, str) or (isinstance(value, Observable) and not isinstance(value, Collective)):
            return [value]
        return to_list_type(value)

    def _check(self, item: Any) -> None:
        if self._types is None:
            if not isinstance(item, Observable):
                raise ConfigError(f"A pile holds elements, not {type(item).__name__}.")
        elif not (type(item) in self._types if self._strict else isinstance(item, tuple(self._types))):
            names = ", ".join(sorted(kind.__name__ for kind in self._types))
            raise TypeError(f"This pile holds {names} only, not {type(item).__name__}.")

    def _permutation(self, ids: list[IDType]) -> list[IDType]:
        if len(ids) != len(self._items) or set(ids) != self._items.keys():
            raise ConfigError("The order has to name each item of the pile exactly once.")
        return ids

    def _locate(self, key: Any) -> list[IDType]:
        """Return the ids of the items that a key stands for; ItemNotFoundError when one is not here."""
        if isinstance(key, str):
            return [self._known(key)]
        if isinstance(key, Observable):
            return [self._known(key.id)]
        if isinstance(key, UUID):
            return [self._known(str(key))]
        if isinstance(key, Iterable) and not isinstance(key, bytes):
            return [id_ for part in key for id_ in self._locate(part)]
        raise ConfigError(f"An item is found by its id, its name or its position, not by {type(key).__name__}.")

    def _known(self, text: str) -> IDType:
        """Return the id that `text` is, or that of the one item with this name."""
        if text in self._items:
            return text if type(text) is IDType else IDType.validate(text)
        if ID.is_id(text):
            id_ = IDType.validate(text)
            if id_ in self._items:
                return id_
            raise ItemNotFoundError(f"There is no item with the id {id_} in {self!r}.")
        self._make_all()
        named = [item.id for item in self._items.values() if getattr(item, "name", None) == text]
        if len(named) > 1:
            raise ConfigError(f"{counted(len(named), 'item')} are named '{text}'; use an id: {', '.join(named[:5])}.")
        if not named:
            raise ItemNotFoundError(f"There is no item with the id or name '{text:.80}' in {self!r}.")
        return named[0]

    def _at(self, index: int) -> IDType:
        try:
            return self._ordered()[index]
        except IndexError:
            raise ItemNotFoundError(f"There is no position {index} among {counted(len(self), 'item')}.") from None

    # The ways to change

    def _store(self, items: list[T]) -> None:
        """Update known items where they stand and append new ones."""
        if items:
            self._tell("include", items)
        if len(items) > _MANY:
            with collector_paused():
                self._put(items)
        else:
            self._put(items)

    def _put(self, items: Sequence[T | Deferred[T]]) -> None:
        for item in items:
            known = self._items.get(item.id)
            if known is None:
                if item.id in self._gone:
                    self._ordered()
                self._line.append(item.id)
            else:
                self._edits += 1
                if known is not item:
                    self._unwatch(known)
            self._items[item.id] = item
        self._watch(item for item in items if self._items[item.id] is item)

    def _place(self, index: int, items: list[T]) -> None:
        """Put new items before a position from 0 to the length of the pile."""
        order = list(self._ordered())
        order[index:index] = [item.id for item in items]
        if items:
            self._tell("include", items, index=None if index >= len(self._items) else index)
        self._edits += 1
        self._items.update((item.id, item) for item in items)
        self._line_up(order)
        self._watch(items)

    def _discard(self, ids: list[IDType]) -> list[T]:
        """Remove and return items that are here."""
        gone = dict.fromkeys(ids)
        items = [self._item(id_) for id_ in gone]
        if items:
            self._tell("exclude", ids=tuple(gone))
            self._edits += 1
        for item in items:
            del self._items[item.id]
            self._unwatch(item)
        self._gone.update(gone)
        for end, pop in ((0, self._line.popleft), (-1, self._line.pop)):
            while self._line and self._line[end] in self._gone:
                self._gone.remove(pop())
        if len(self._gone) > len(self._items):
            self._ordered()
        return items

    def _ordered(self) -> deque[IDType]:
        """The ids in order, without those that have gone from the middle, which are taken out when somebody looks."""
        if self._gone:
            self._line_up([id_ for id_ in self._line if id_ not in self._gone])
        return self._line

    def _line_up(self, ids: Iterable[IDType]) -> None:
        _set(self, "_line", deque(ids))
        _set(self, "_gone", set())

    def _watch(self, items: Iterable[T | Deferred[T]]) -> None:
        if self._observer is not None:
            listener = self._listener
            if listener is None:
                listener = Listener(self._changed_in_place)
                _set(self, "_listener", listener)
            for item in items:
                if isinstance(item, Watchable):
                    item.observe(listener)

    def _unwatch(self, item: T | Deferred[T]) -> None:
        if self._listener is not None and isinstance(item, Watchable):
            item.unobserve(self._listener)

    def _changed_in_place(self, item: T) -> None:
        with self._lock:
            self._tell("include", [item])
            self._edits += 1

    def _tell(
        self,
        kind: Literal["include", "exclude", "order"],
        items: Iterable[T] = (),
        ids: tuple[IDType, ...] | None = None,
        index: int | None = None,
    ) -> None:
        if self._observer is not None:
            items = tuple(items)
            ids = tuple(item.id for item in items) if ids is None else ids
            self._observer(PileChange(kind, items, ids, index))
