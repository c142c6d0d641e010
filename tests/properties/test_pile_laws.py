"""The set algebra of piles follows that of sets, and their order that of lists."""

from hypothesis import given
from hypothesis import strategies as st

from lion_broker.core.ids import IDType
from lion_broker.core.node import Node
from lion_broker.core.pile import Pile

POOL = [Node(content=number) for number in range(7)]

members = st.lists(st.sampled_from(POOL), unique_by=lambda node: node.id)
positions = st.none() | st.integers(-9, 9)
slices = st.builds(slice, positions, positions, st.sampled_from([None, -1, 2]))


def ids_of(pile: Pile[Node]) -> set[IDType]:
    """The members of a pile as a set."""
    assert len(pile.keys()) == len(set(pile.keys())) == len(pile)
    return set(pile.keys())


@given(members, members)
def test_members_are_those_of_sets(left: list[Node], right: list[Node]) -> None:
    """Union, intersection, difference and symmetric difference have the members that sets would have."""
    a, b = Pile[Node](left), Pile[Node](right)
    assert ids_of(a | b) == ids_of(a) | ids_of(b)
    assert ids_of(a & b) == ids_of(a) & ids_of(b)
    assert ids_of(a - b) == ids_of(a) - ids_of(b)
    assert ids_of(a ^ b) == ids_of(a) ^ ids_of(b)
    assert (a.values(), b.values()) == (left, right)


@given(members, members)
def test_the_order_is_left_then_right(left: list[Node], right: list[Node]) -> None:
    """Results keep the order of the left pile, then that of the right one."""
    a, b = Pile[Node](left), Pile[Node](right)
    assert (a | b).values() == left + [node for node in right if node not in left]
    assert (a & b).values() == [node for node in left if node in right]
    assert (a ^ b).values() == (a - b).values() + (b - a).values()


@given(members, members)
def test_in_place_is_the_same(left: list[Node], right: list[Node]) -> None:
    """The in-place operators make of a pile what the plain ones return."""
    b = Pile[Node](right)
    union, both, rest, either = (Pile[Node](left) for _ in range(4))
    results = [pile.values() for pile in (union | b, both & b, rest - b, either ^ b)]
    union |= b
    both &= b
    rest -= b
    either ^= b
    assert [pile.values() for pile in (union, both, rest, either)] == results


@given(members)
def test_with_itself(left: list[Node]) -> None:
    """A pile with itself is itself or nothing."""
    a = Pile[Node](left)
    assert (a | a).values() == (a & a).values() == left
    assert (a - a).is_empty()
    assert (a ^ a).is_empty()


@given(members, slices)
def test_slices_are_those_of_lists(left: list[Node], key: slice) -> None:
    """Looking at, popping and deleting a slice take the items that a list would give."""
    a, b = Pile[Node](left), Pile[Node](left)
    assert a[key].values() == left[key]
    assert a.pop(key).values() == left[key]
    del b[key], left[key]
    assert a.values() == b.values() == left


@given(members, st.integers(-9, 9), st.integers(0, 3))
def test_inserting_is_that_of_lists(left: list[Node], index: int, count: int) -> None:
    """New items stand where a list would put them."""
    pile, new = Pile[Node](left), [Node() for _ in range(count)]
    pile.insert(index, new)
    left[index:index] = new
    assert pile.values() == left


@given(members, st.data())
def test_assigning_a_slice_is_that_of_lists(left: list[Node], data: st.DataObject) -> None:
    """A slice without step is replaced as in a list."""
    key = slice(data.draw(positions), data.draw(positions))
    pile, new = Pile[Node](left), [Node(), Node()]
    pile[key] = new
    left[key] = new
    assert pile.values() == left
