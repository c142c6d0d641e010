"""What a pile asks of its items: which classes they are of, how they are written, and to hear of their changes."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any
from weakref import WeakMethod

from lion_broker.core.concepts import Observable
from lion_broker.core.element import Element, element_class
from lion_broker.errors import ConfigError, NotPortable

__all__ = ["Listener", "item_types", "written"]


class Listener:
    """Hears of the changes that the items of a pile make in themselves.

    It holds the pile weakly: a pile and its items would hold each other else, and only a collection would free them.
    """

    __slots__ = ("_heard",)

    def __init__(self, heard: Callable[[Any], None]) -> None:
        self._heard = WeakMethod(heard)

    def __call__(self, item: Any) -> None:
        """Tell the pile, if there still is one."""
        heard = self._heard()
        if heard is not None:
            heard(item)


def item_types(item_type: Any) -> frozenset[Any] | None:
    """Return the classes in `item_type`: one or many of them, or short names of registered ones."""
    if item_type is None:
        return None
    if isinstance(item_type, type):
        return _one_type(item_type)
    given = [item_type] if isinstance(item_type, str) else list(item_type)
    kinds = [_checked(element_class(kind) if isinstance(kind, str) else kind) for kind in given]
    if len(set(kinds)) != len(kinds):
        raise ConfigError("item_type names a class twice; name each once.")
    return frozenset(kinds) or None


@lru_cache(256)
def _one_type(kind: type[Any]) -> frozenset[Any]:
    """The same of a single class, looked at once: every branch has some piles of the same."""
    return frozenset({_checked(kind)})


def _checked(kind: Any) -> Any:
    if not (isinstance(kind, type) and issubclass(kind, Observable)):
        raise TypeError(f"item_type takes classes of elements, not {kind!r:.80}.")
    return kind


def written(item: Any) -> dict[str, Any]:
    """Return an item as plain JSON values; raises NotPortable for one that is no Element."""
    if not isinstance(item, Element):
        raise NotPortable(f"An item of type {type(item).__name__} is no Element and cannot be written as JSON.")
    return item.to_dict()
