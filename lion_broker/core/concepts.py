"""Marker classes: what an object promises to the rest of the package, without saying how."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from lion_broker.core.ids import IDType

__all__ = [
    "Collective",
    "Communicatable",
    "Condition",
    "Manager",
    "Observable",
    "Observer",
    "Ordering",
    "Relational",
    "Sendable",
    "Watchable",
]

T = TypeVar("T")


class Observer(ABC):  # noqa: B024 - a marker has no methods of its own
    """Looks after objects that it does not own."""


class Manager(Observer):
    """An Observer that also changes what it looks after."""


class Relational(ABC):  # noqa: B024 - a marker
    """May stand in relations to others, for example as a node of a graph."""


class Observable(ABC):  # noqa: B024 - the promise is an attribute, see below
    """Promises `id`, an IDType that never changes."""

    # Declared for the type checker alone: pydantic would make a field of it in every subclass.
    if TYPE_CHECKING:
        id: IDType


class Sendable(ABC):  # noqa: B024 - the promise is two attributes
    """Promises `sender` and `recipient`."""


class Communicatable(Observable):
    """Promises a `mailbox` and the verb `send`."""

    @abstractmethod
    def send(self, *args: Any, **kwargs: Any) -> Any:
        """Put something on its way to somebody else."""


class Watchable(Observable):
    """Tells its watchers after every change that is made in place."""

    @abstractmethod
    def observe(self, callback: Callable[[Any], None] | None, /) -> None:
        """Call `callback(self)` after every change in place; None forgets all callbacks."""

    @abstractmethod
    def unobserve(self, callback: Callable[[Any], None], /) -> None:
        """Forget one callback; an unknown one is ignored."""


class Condition(ABC):
    """Decides, perhaps after asking somebody, whether something holds."""

    @abstractmethod
    async def apply(self, *args: Any, **kwargs: Any) -> bool:
        """Return whether the condition holds."""


class Collective(ABC, Generic[T]):
    """Holds items, each at most once."""

    @abstractmethod
    def include(self, item: Any, /) -> Any:
        """Take in one or many items; items that are here already stay where they are."""

    @abstractmethod
    def exclude(self, item: Any, /) -> Any:
        """Let go of one or many items; unknown ones are ignored."""


class Ordering(ABC, Generic[T]):
    """Holds an order of ids."""

    @abstractmethod
    def include(self, item: Any, /) -> Any:
        """Append the ids that are not here yet."""

    @abstractmethod
    def exclude(self, item: Any, /) -> Any:
        """Remove the ids wherever they stand; unknown ones are ignored."""
