"""Ids: what is one, what they sort by, and how references to elements are read."""

import os
import subprocess
import sys
from uuid import UUID, uuid1, uuid4

import pytest

from lion_broker.core.element import Element
from lion_broker.core.ids import ID, IDType, to_list_type, validate_order
from lion_broker.core.pile import Pile
from lion_broker.core.progression import Progression
from lion_broker.errors import IDError


def test_an_id_is_its_text() -> None:
    """An id equals its text and hashes like it, so that either finds the other in a dict."""
    id_ = IDType.create()
    assert id_ == str(id_)
    assert {id_: 1}[str(id_)] == 1  # type: ignore[index]
    assert UUID(id_).version == 7


FORK = """
import os, sys
from lion_broker.core.ids import IDType
IDType.create()
reading, writing = os.pipe()
if os.fork() == 0:
    os.write(writing, "\\n".join(IDType.create() for _ in range(1000)).encode())
    os._exit(0)
os.close(writing)
ours = {IDType.create()[-8:] for _ in range(1000)}
with open(reading) as file:
    theirs = {line[-8:] for line in file.read().split()}
print(len(ours), len(theirs), len(ours & theirs))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="only where processes fork")
def test_a_forked_process_makes_other_ids() -> None:
    """Their random part, 32 bits, has nothing in common with the parent's but by chance."""
    said = subprocess.run([sys.executable, "-c", FORK], check=True, capture_output=True, text=True).stdout
    ours, theirs, both = map(int, said.split())
    assert min(ours, theirs) > 990
    assert both < 10


def test_ids_sort_by_their_making() -> None:
    """Each new id is greater than every one before, also within a millisecond."""
    ids = [IDType.create() for _ in range(5000)]
    assert ids == sorted(set(ids))


@pytest.mark.parametrize("make", [uuid1, uuid4])
def test_every_uuid_version_is_kept(make: type[UUID]) -> None:
    """An id of another version stays the same id."""
    uuid = make()
    assert IDType.validate(uuid) == str(uuid)
    assert IDType.validate(str(uuid).upper()) == str(uuid)
    assert IDType.validate(uuid.hex) == str(uuid)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "reader",
        "0190f5d2-7b7c-7aaa-8000-00000000000",
        "0190f5d2-7b7c-7aaa-8000-0000000000zz",
        "0190f5d27b7c-7aaa-8000-0000-00000000",
        "0190f5d2-7b7c-7aaa-8000-0000 0000000",
        "{0190f5d2-7b7c-7aaa-8000-000000000000}",
    ],
)
def test_other_text_is_no_id(text: str) -> None:
    """Text that is nearly an id is refused, and the error shows it."""
    assert not ID.is_id(text)
    with pytest.raises(IDError, match="is no id"):
        IDType.validate(text)


def test_only_ids_are_ids() -> None:
    """An element has an id but is none, and other objects have none."""
    element = Element()
    assert ID.get_id(element) == ID.get_id(str(element.id)) == element.id
    assert ID.is_id(element.id)
    assert not ID.is_id(element)
    with pytest.raises(ValueError, match="What is of type int has no id"):
        ID.get_id(5)


def test_order_is_flat() -> None:
    """Elements, ids, texts, nested lists and mappings become one list of ids; None is left out."""
    a, b, c = Element(), Element(), Element()
    assert validate_order([a, None, [b.id, (str(c.id),)]]) == [a.id, b.id, c.id]
    assert validate_order({a.id: 1, b.id: 2}) == [a.id, b.id]
    assert validate_order(None) == validate_order([]) == []
    with pytest.raises(IDError):
        validate_order("reader")
    with pytest.raises(ValueError, match="type float has no id"):
        validate_order([1.5])


def test_a_collection_stands_for_what_it_holds() -> None:
    """A Pile or Progression alone means its members; inside a list it means itself."""
    a, b = Element(), Element()
    pile, progression = Pile[Element]([a, b]), Progression([b, a])
    assert validate_order(pile) == [a.id, b.id]
    assert validate_order(progression) == [b.id, a.id]
    assert validate_order([pile, progression]) == [pile.id, progression.id]
    assert to_list_type(pile) == [a, b]


def test_list_of_anything() -> None:
    """One object becomes a list of itself, and the text of an id a list with that id."""
    element = Element()
    assert to_list_type(None) == []
    assert to_list_type(str(element.id)) == [element.id]
    assert to_list_type(element) == [element]
    assert to_list_type({"a": element}) == [element]
    assert to_list_type(item for item in (1, 2)) == [1, 2]
    assert to_list_type(5) == [5]
    with pytest.raises(IDError):
        to_list_type("reader")
