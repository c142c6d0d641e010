"""Progression: the corners that the state machine in tests/properties does not reach."""

from copy import copy, deepcopy

import pytest

from lion_broker.core.element import Element
from lion_broker.core.ids import IDType
from lion_broker.core.progression import Progression, prog
from lion_broker.errors import IDError, ItemNotFoundError


@pytest.fixture
def ids() -> list[IDType]:
    """Four ids in order."""
    return [IDType.create() for _ in range(4)]


def test_include_takes_each_once(ids: list[IDType]) -> None:
    """Include leaves out what is here; append does not."""
    progression = prog(ids[:2])
    assert progression.include([ids[1], ids[2], ids[2]])
    assert progression.order == ids[:3]
    progression.append(ids[0])
    assert progression.order == [*ids[:3], ids[0]]


def test_what_is_no_reference(ids: list[IDType]) -> None:
    """Objects without an id are answered with False, a text that is no id is an error."""
    progression = prog(ids)
    assert not progression.include(5)  # type: ignore[arg-type]
    assert not progression.exclude(5)  # type: ignore[arg-type]
    with pytest.raises(IDError):
        progression.include("reader")
    assert 5 not in progression
    assert "reader" not in progression
    assert None not in progression
    assert progression.order == ids


def test_membership_needs_all(ids: list[IDType]) -> None:
    """Several references are in a progression when each of them is."""
    progression = prog(ids[:3])
    assert ids[:2] in progression
    assert Element(id=ids[0]) in progression
    assert str(ids[1]) in progression
    assert ids not in progression


def test_slices_are_progressions(ids: list[IDType]) -> None:
    """A slice is a progression, an empty one too."""
    progression = prog(ids, "line")
    assert progression[1:3] == prog(ids[1:3], "line")
    assert progression[4:] == prog(None, "line")
    assert progression[-1] == ids[-1]
    with pytest.raises(ItemNotFoundError, match="no position 9"):
        progression[9]
    with pytest.raises(TypeError, match="an int or a slice"):
        progression["x"]  # type: ignore[call-overload]


def test_remove_takes_every_occurrence(ids: list[IDType]) -> None:
    """Remove takes an id out wherever it stands, or changes nothing when one is missing."""
    progression = prog([ids[0], ids[1], ids[0], ids[2]])
    with pytest.raises(ItemNotFoundError, match=ids[3]):
        progression.remove([ids[0], ids[3]])
    assert len(progression) == 4
    progression.remove(ids[0])
    assert progression.order == [ids[1], ids[2]]


def test_both_ends(ids: list[IDType]) -> None:
    """Pop takes the last, popleft the first, and an empty progression has neither."""
    progression = prog(ids)
    assert (progression.pop(), progression.popleft(), progression.pop(1)) == (ids[3], ids[0], ids[2])
    progression.clear()
    assert not progression
    with pytest.raises(ItemNotFoundError, match="empty"):
        progression.popleft()
    with pytest.raises(ItemNotFoundError, match="no position 3"):
        progression.pop(3)


def test_arithmetic(ids: list[IDType]) -> None:
    """Plus appends, minus leaves out and ignores what is missing; in place, missing ids are an error."""
    progression = prog(ids[:2])
    assert (progression + ids[2]).order == ids[:3]
    assert (ids[3] + progression).order == [ids[3], *ids[:2]]
    assert (progression - [ids[0], ids[3]]).order == [ids[1]]
    assert progression.order == ids[:2]
    progression += ids[2]
    progression -= ids[0]
    assert progression.order == ids[1:3]
    with pytest.raises(ItemNotFoundError):
        progression -= ids[0]


def test_extend_takes_progressions_only(ids: list[IDType]) -> None:
    """Extend joins another progression, itself too; a list is refused."""
    progression = prog(ids[:1])
    progression.extend(prog(ids[1:2]))
    progression.extend(progression)
    assert progression.order == ids[:2] * 2
    with pytest.raises(ValueError, match="by a Progression only"):
        progression.extend(ids)  # type: ignore[arg-type]


def test_positions(ids: list[IDType]) -> None:
    """Index and count find ids; assigning and deleting positions work as for lists."""
    progression = prog([*ids, ids[0]])
    assert progression.index(ids[0], 1) == 4
    assert progression.count(ids[0]) == 2
    with pytest.raises(ValueError, match="not in the progression"):
        progression.index(ids[0], 1, 4)
    progression[0] = ids[3]
    progression[9] = ids[1]
    del progression[1:3]
    assert progression.order == [ids[3], ids[3], ids[0], ids[1]]
    with pytest.raises(ItemNotFoundError):
        del progression[7]
    progression.insert(1, ids[:2])
    assert list(reversed(progression)) == [ids[1], ids[0], ids[3], ids[1], ids[0], ids[3]]


def test_equality_and_hash(ids: list[IDType]) -> None:
    """Order and name make progressions equal, equal ones hash alike, and `<` compares orders."""
    first, second = prog(ids, "a"), prog(ids, "a")
    assert first == second
    assert hash(first) == hash(second)
    assert first != prog(ids, "b")
    assert first != ids
    assert prog(ids[:1]) < prog(ids[1:]) <= prog(ids[1:])
    assert prog(ids[1:]) > prog(ids[:1])
    assert prog(ids[1:]) >= prog(ids[:1])


def test_the_order_is_a_copy(ids: list[IDType]) -> None:
    """Changing the list that `order` returns does not change the progression."""
    progression = prog(ids)
    progression.order.clear()
    assert len(progression) == 4


def test_copies_are_apart(ids: list[IDType]) -> None:
    """A copy is the same element with an order of its own."""
    progression = Progression(ids, "a", metadata={"b": 1})
    for twin in (copy(progression), deepcopy(progression)):
        assert (twin, twin.id, twin.metadata) == (progression, progression.id, {"b": 1})
        twin.clear()
    assert len(progression) == 4
    assert repr(progression).startswith("Progression(name='a', 4 ids: [")
