"""Pile: keys, membership, order and types."""

from copy import copy, deepcopy
from operator import and_, iand, ior, isub, ixor, or_, sub, xor

import pytest
from pydantic import Field

from lion_broker.core.concepts import Observable
from lion_broker.core.element import Element
from lion_broker.core.ids import IDType
from lion_broker.core.node import Node
from lion_broker.core.pile import Pile, pile
from lion_broker.core.progression import Progression
from lion_broker.errors import ConfigError, ItemExistsError, ItemNotFoundError, NotPortable
from tests.naming import stable


class Named(Node):
    """A node with a name."""

    name: str | None = None


class Room(Element):
    """An element with a pile as a field."""

    people: Pile[Named] = Field(default_factory=pile)


class Stranger(Observable):
    """Something with an id that is no element."""

    def __init__(self) -> None:
        self.id = IDType.create()


@pytest.fixture
def nodes() -> list[Named]:
    """Four nodes, named a to d."""
    return [Named(name=name) for name in "abcd"]


@pytest.fixture
def line(nodes: list[Named]) -> Pile[Named]:
    """A pile of the four nodes."""
    return Pile(nodes)


def test_every_kind_of_key(line: Pile[Named], nodes: list[Named]) -> None:
    """Position, id, its text, element, name, and lists of keys find the items."""
    a, b, *_ = nodes
    assert line[0] is line[a.id] is line[str(a.id)] is line[a] is line["a"] is line[[a]] is a
    assert line[-1] is nodes[-1]
    assert line[[a.id, "b"]] == [a, b]
    assert line[str(a.id).upper()] is a


@pytest.mark.parametrize("key", [4, -5, "e", IDType.create(), Element(), ["a", "e"]], ids=stable)
def test_missing_keys(line: Pile[Named], key: object) -> None:
    """A key without item is an error that is a ValueError and a KeyError, and is not in the pile."""
    with pytest.raises(ItemNotFoundError):
        line[key]  # type: ignore[call-overload]
    with pytest.raises(ItemNotFoundError):
        line.pop(key)
    assert line.get(key, None) is None
    assert line.pop(key, "none") == "none"
    assert isinstance(key, int) or key not in line


@pytest.mark.parametrize("key", [None, 1.5, b"a"])
def test_what_is_no_key(line: Pile[Named], key: object) -> None:
    """Other objects are no keys at all."""
    with pytest.raises(ValueError, match="An item is found by"):
        line[key]  # type: ignore[call-overload]
    assert key not in line


def test_ambiguous_names(line: Pile[Named], nodes: list[Named]) -> None:
    """A name that two items have is in the pile, but is no key: the error lists their ids."""
    twin = Named(name="a")
    line.include(twin)
    assert "a" in line
    with pytest.raises(ConfigError, match=f"2 items are named 'a'; use an id: {nodes[0].id}, {twin.id}"):
        line["a"]


def test_slices_are_piles(line: Pile[Named], nodes: list[Named]) -> None:
    """A slice is a pile of the same kind, an empty one too."""
    assert line[1:3].values() == nodes[1:3]
    assert line[::-1].values() == nodes[::-1]
    assert line[9:].is_empty()
    assert not line[9:]
    assert Pile[Named](nodes, item_type=Named, strict_type=True)[:1].item_type == frozenset([Named])


def test_include_replaces_in_place(line: Pile[Named], nodes: list[Named]) -> None:
    """A known item keeps its place, but the new object is stored; new ones go to the end."""
    newer, other = Named(id=nodes[1].id, name="newer"), Named()
    line.include([newer, other])
    assert line.keys() == [*(node.id for node in nodes), other.id]
    assert line[1] is newer
    line.append(nodes[1])
    line.update(Pile([other]))
    assert line[1] is nodes[1]
    assert line.size() == 5


def test_insert_takes_new_items_only(line: Pile[Named], nodes: list[Named]) -> None:
    """Insert puts items before a position, and refuses known ones without changing anything."""
    first, second = Named(), Named()
    line.insert(-1, [first, second])
    assert line.values() == [*nodes[:3], first, second, nodes[3]]
    with pytest.raises(ItemExistsError, match=nodes[0].id):
        line.insert(0, [Named(), nodes[0]])
    assert len(line) == 6


def test_ways_out(line: Pile[Named], nodes: list[Named]) -> None:
    """Exclude ignores what is missing, remove does not; both take names."""
    a, b, c, d = nodes
    line.exclude([a, "b", Element(), "nobody"])
    assert line.values() == [c, d]
    with pytest.raises(ItemNotFoundError):
        line.remove([c, "nobody"])
    with pytest.raises(TypeError, match="positions"):
        line.remove(0)
    line.remove("c")
    del line[0]
    assert line.is_empty()
    with pytest.raises(ItemNotFoundError):
        line.popleft()
    assert a not in line
    assert b not in line


def test_pop_one_or_many(line: Pile[Named], nodes: list[Named]) -> None:
    """Pop returns an item for one key, and a pile for a slice or several keys."""
    a, b, c, d = nodes
    assert line.pop() is d
    assert line.pop([a, c]).values() == [a, c]
    popped = line.pop(slice(0, 5))
    assert isinstance(popped, Pile)
    assert popped.values() == [b]
    assert not line


def test_assigning(line: Pile[Named], nodes: list[Named]) -> None:
    """A position or slice is replaced; an id takes a new item with this id only."""
    new, more = Named(), [Named(), Named(), Named()]
    line[0] = new
    assert line.values() == [new, *nodes[1:]]
    line[1:3] = more
    assert line.values() == [new, *more, nodes[3]]
    line[nodes[0].id] = nodes[0]
    assert line[-1] is nodes[0]
    with pytest.raises(ItemExistsError):
        line[0] = more[0]
    with pytest.raises(KeyError, match="not the id"):
        line[nodes[1].id] = nodes[2]
    with pytest.raises(ConfigError, match="without a step"):
        line[::2] = []


def test_order(line: Pile[Named], nodes: list[Named]) -> None:
    """The order can be given and changed, to a permutation of the items only."""
    line.progression = Progression(nodes[::-1])
    assert line.values() == nodes[::-1]
    assert line.progression == Progression(nodes[::-1])
    line.progression.clear()
    assert len(line.keys()) == 4
    assert Pile(nodes, order=nodes[::-1]).values() == nodes[::-1]
    for order in (nodes[:3], [*nodes, nodes[0]], [*nodes[:3], Named()]):
        with pytest.raises(ValueError, match="exactly once"):
            line.progression = order


def test_item_types(nodes: list[Named]) -> None:
    """Items are of the item type or below, or exactly of it when that is strict."""
    loose, strict = pile(nodes, item_type=Node), pile(item_type={Node, Element}, strict_type=True)
    with pytest.raises(TypeError, match="holds Node only, not Element"):
        loose.include(Element())
    with pytest.raises(TypeError, match="holds Element, Node only, not Named"):
        strict.include(nodes)
    strict.include([Element(), Node()])
    assert not strict.is_homogenous()
    assert loose.is_homogenous()
    with pytest.raises(ValueError, match="holds elements, not int"):
        Pile([1])


def test_bad_item_types() -> None:
    """An item type is a class of elements, named once."""
    with pytest.raises(TypeError, match="classes of elements"):
        Pile(item_type=int)
    with pytest.raises(ValueError, match="twice"):
        Pile(item_type=[Node, Node])


def test_iteration_is_over_a_snapshot(line: Pile[Named]) -> None:
    """The pile may change while it is walked through."""
    for item in line:
        line.remove(item)
    assert not line


def test_a_pile_of_collections() -> None:
    """A progression is an item like any other, and so is a pile inside a list."""
    order, inner = Progression(name="order"), Pile[Node]()
    outer = Pile[Element]([order, inner])
    outer.include(Progression(name="other"))
    assert outer["order"] is order
    assert outer[inner] is inner
    outer.exclude(order)
    assert order not in outer


def test_copies(line: Pile[Named], nodes: list[Named]) -> None:
    """A copy is the same element with the same items, a deep copy one with copies of them."""
    shallow, deep = copy(line), deepcopy(line)
    assert shallow == deep == line
    line.clear()
    assert shallow.values() == deep.values() == nodes
    assert shallow[0] is nodes[0]
    assert deep[0] is not nodes[0]


def test_a_parametrised_pile_is_the_pile() -> None:
    """Naming the item class for a type checker makes no new class."""
    assert Pile[Node] is Pile
    assert repr(Pile[Node]()).startswith("Pile(0 items, id=")


def test_a_pile_as_a_field(line: Pile[Named]) -> None:
    """A pile given to a field is this pile, and it is written and read with its owner."""
    room = Room(people=line)
    assert room.people is line
    restored = Room.from_dict(room.to_dict())
    assert restored.people["a"].to_dict() == line["a"].to_dict()
    assert Room().people.is_empty()


def test_what_is_no_pile(line: Pile[Named]) -> None:
    """The operators take piles only, and only elements can be written down."""
    for operate in (or_, and_, sub, xor, ior, iand, isub, ixor):
        with pytest.raises(TypeError, match="unsupported operand"):
            operate(line, {})
    with pytest.raises(NotPortable, match="Stranger is no Element"):
        Pile[Stranger]([Stranger()]).to_dict()
