"""Items that are made when somebody looks: to whoever uses the pile they have been there all the time."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from lion_broker import ItemNotFoundError, Node, Pile
from lion_broker.core.deferred import Deferred
from lion_broker.core.ids import IDType
from lion_broker.core.pile import PileChange
from lion_broker.messages import Instruction

COUNT = 6


class Later(Deferred[Node]):
    """A node that is made when somebody looks, and counts how often."""

    __slots__ = ("content", "makings")

    def __init__(self, content: str) -> None:
        self._made = None
        self.id = IDType.create()
        self.content = content
        self.makings = 0

    def _make(self) -> Node:
        self.makings += 1
        return Node(id=self.id, content=self.content)


def later(count: int = COUNT) -> list[Later]:
    """Several of them, with numbers as contents."""
    return [Later(str(number)) for number in range(count)]


def piled(items: list[Later]) -> Pile[Any]:
    """A pile of what nobody has looked at."""
    pile: Pile[Any] = Pile()
    pile.recall(items)
    return pile


def made(items: list[Later]) -> list[str]:
    """The contents of those that were made."""
    assert all(item.makings < 2 for item in items)
    return [item.content for item in items if item.makings]


def contents(items: Any) -> list[Any]:
    """What nodes hold."""
    return [item.content for item in items]


def after(change: Callable[..., object], *given: Any) -> object:
    """Make a change, of which nothing comes back."""
    return change(*given)


Look = Callable[[Pile[Any], list[Later]], object]
LOOKS: dict[str, tuple[Look, list[str]]] = {
    "len": (lambda pile, items: len(pile), []),
    "bool": (lambda pile, items: bool(pile), []),
    "keys": (lambda pile, items: pile.keys(), []),
    "in": (lambda pile, items: items[0].id in pile, []),
    "in, a text": (lambda pile, items: str(items[0].id) in pile, []),
    "progression": (lambda pile, items: pile.progression.order, []),
    "repr": (lambda pile, items: repr(pile)[:7], []),
    "a position": (lambda pile, items: pile[2].content, ["2"]),
    "an id": (lambda pile, items: pile[items[3].id].content, ["3"]),
    "get": (lambda pile, items: pile.get(items[3].id).content, ["3"]),
    "a slice": (lambda pile, items: contents(pile[1:3]), ["1", "2"]),
    "last": (lambda pile, items: contents(pile.last(2)), ["4", "5"]),
    "pop": (lambda pile, items: (pile.pop().content, len(pile)), ["5"]),
    "exclude": (lambda pile, items: after(pile.exclude, items[1].id) or len(pile), ["1"]),
    "withdraw": (lambda pile, items: contents(pile.withdraw([items[1].id])), ["1"]),
    "insert": (lambda pile, items: after(pile.insert, 1, Node(content="new")) or pile[1].content, []),
    "include": (lambda pile, items: after(pile.include, Node(content="new")) or pile[-1].content, []),
    "order": (lambda pile, items: after(setattr, pile, "progression", pile.keys()[::-1]) or pile[0].content, ["5"]),
    "values": (lambda pile, items: contents(pile.values()), list("012345")),
    "iteration": (lambda pile, items: contents(pile), list("012345")),
    "items": (lambda pile, items: [one.content for _, one in pile.items()], list("012345")),
    "kinds": (lambda pile, items: pile.is_homogenous(), list("012345")),
    "a name": (lambda pile, items: pile.get("nobody", None), list("012345")),
    "deepcopy": (lambda pile, items: contents(deepcopy(pile)), list("012345")),
    "union": (lambda pile, items: contents(pile | Pile()), list("012345")),
    "frame": (lambda pile, items: list(pile.to_df()["content"]), list("012345")),
    "dict": (lambda pile, items: contents(Pile.from_dict(pile.to_dict())), list("012345")),
}


@pytest.mark.parametrize("name", LOOKS)
def test_a_look_finds_what_was_there(name: str) -> None:
    """Each way to look is as on a pile of the items themselves, and makes what it shows, once."""
    look, expected = LOOKS[name]
    items, twins = later(), later()
    for item, other in zip(items, twins, strict=True):
        other.id = item.id
    twin: Pile[Any] = Pile([item.made() for item in twins])
    pile = piled(items)
    assert look(pile, items) == look(twin, twins)
    assert made(items) == expected
    assert [one for one in contents(pile) if one != "new"] == [one for one in contents(twin) if one != "new"]
    assert contents(pile) == contents(pile)
    assert all(item.makings < 2 for item in items)


def test_the_same_item_each_time() -> None:
    """By whichever way it is found."""
    items = later()
    pile = piled(items)
    assert pile[1] is pile[items[1].id] is pile.values()[1] is items[1].made()


def test_the_end_can_be_seen_as_it_is_kept() -> None:
    """What nobody has looked at is shown so, and what was made as the item."""
    items = later()
    pile = piled(items)
    last = pile[-1]
    assert pile.tail(2) == [items[4], last]
    assert pile.tail(0) == []
    assert made(items) == ["5"]


class Text(Deferred[Instruction]):
    """A message that is made when somebody looks."""

    __slots__ = ()

    def __init__(self) -> None:
        self._made = None
        self.id = IDType.create()

    def _make(self) -> Instruction:
        return Instruction(id=self.id, content={"instruction": "said"})


def test_what_is_recorded_already_is_not_told() -> None:
    """Neither that it comes nor that it is made; changes of it are, also where it was made before."""
    told: list[PileChange[Any]] = []
    pile: Pile[Any] = Pile()
    early, late = Text(), Text()
    pile.recall([early])
    first = pile[0]
    pile.observe(told.append)
    pile.recall([late])
    second = pile[1]
    assert (told, pile.edits) == ([], 0)
    for message in (first, second):
        message.update(instruction="changed")
    assert [change.items for change in told] == [(first,), (second,)]
    pile.exclude(second)
    second.update(instruction="changed again")
    assert [change.kind for change in told] == ["include", "include", "exclude"]


def test_recalling_what_is_here_replaces_it() -> None:
    """In its place, which counts as a change to what was there."""
    items = later(3)
    pile = piled(items)
    again = Later("again")
    again.id = items[1].id
    pile.recall([again])
    assert (len(pile), pile.edits) == (3, 1)
    assert contents(pile) == ["0", "again", "2"]
    assert made(items) == ["0", "2"]


def test_what_has_gone_is_gone() -> None:
    """A removed one is not found any more, and may come again at the end."""
    items = later(3)
    pile = piled(items)
    pile.remove(items[0].id)
    with pytest.raises(ItemNotFoundError):
        pile[items[0].id]
    pile.recall([items[0]])
    assert contents(pile) == ["1", "2", "0"]
