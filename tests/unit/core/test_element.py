"""Elements: identity, metadata, and reading back what was written."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from lion_broker.core.concepts import Communicatable, Relational
from lion_broker.core.element import Element, element_class
from lion_broker.core.node import Node
from lion_broker.errors import ConfigError, ItemNotFoundError, NotPortable


class Postbox(Element, Communicatable, Relational):
    """An element with marker classes beside it."""

    name: str = "box"

    def send(self, *args: Any, **kwargs: Any) -> None:
        """Send nothing."""


class Silent(Element, Communicatable):
    """A Communicatable that does not say how it sends."""


def test_equal_by_id() -> None:
    """Elements of any class with the same id are equal and hash alike; all of them are true."""
    element = Element()
    same = Node(id=element.id, content="other")
    assert element == same
    assert len({element, same}) == 1
    assert element != Element()
    assert element != element.id
    assert Element()


def test_markers_mix_in() -> None:
    """A subclass with markers is made, written and read like any element; a missing verb is noticed."""
    box = Postbox(name="a")
    assert isinstance(box, Relational)
    assert isinstance(Element.from_dict(box.to_dict()), Postbox)
    with pytest.raises(TypeError, match="abstract"):
        Silent()  # type: ignore[abstract]


def test_the_class_is_named_by_its_short_name() -> None:
    """The dict names the class in its metadata, while the metadata of the element does not."""
    node = Node(metadata={"topic": "lions"})
    assert node.to_dict()["metadata"] == {"topic": "lions", "lion_class": "Node"}
    restored = Element.from_dict(node.to_dict())
    assert type(restored) is Node
    assert restored.metadata == {"topic": "lions"}
    assert Node.class_name() == "Node"
    assert Node.class_name(full=True) == "lion_broker.core.node.Node"


@pytest.mark.parametrize("name", ["os.system", "lion_broker.core.node.Node", "Nowhere", "", 5, None])
def test_nothing_is_imported_for_a_dict(name: Any) -> None:
    """A class that is not registered under just this name is an error."""
    with pytest.raises(ItemNotFoundError, match="No class of elements"):
        Element.from_dict({"metadata": {"lion_class": name}})


def test_a_dict_of_another_kind_is_refused() -> None:
    """A class reads its own kind only, and wrong values name their field."""
    with pytest.raises(ConfigError, match="The dict holds a Postbox, not a Node"):
        Node.from_dict(Postbox().to_dict())
    with pytest.raises(ValueError, match="metadata names the class 'Node', but this is Element"):
        Element.model_validate({"metadata": {"lion_class": "Node"}})
    with pytest.raises(ConfigError, match="not a valid Postbox: name: "):
        Element.from_dict({"metadata": {"lion_class": "Postbox"}, "name": 5})
    with pytest.raises(ConfigError, match="from list"):
        Element.from_dict([])  # type: ignore[arg-type]


def test_the_argument_is_left_alone() -> None:
    """Reading a dict changes nothing in it."""
    written = Node(content={"a": [1]}, metadata={"b": 2}).to_dict()
    before = json.dumps(written)
    Element.from_dict(written)
    assert json.dumps(written) == before


@pytest.mark.parametrize(
    ("given", "seconds"), [(12, 12.0), ("12.5", 12.5), (datetime(2025, 1, 5, tzinfo=UTC), 1736035200.0)]
)
def test_times_are_seconds(given: Any, seconds: float) -> None:
    """Numbers, their text and datetimes become seconds since the epoch."""
    assert Element(created_at=given).created_at == seconds


@pytest.mark.parametrize("given", ["noon", float("nan"), float("inf"), -1, 1_736_035_200_000, [1]])
def test_other_times_are_refused(given: Any) -> None:
    """What is no time since 1970 in seconds is a ValueError; milliseconds are not taken for seconds."""
    with pytest.raises(ValueError, match="created_at"):
        Element(created_at=given)


def test_identity_is_fixed() -> None:
    """Neither id nor time of creation can be assigned, and unknown fields are refused."""
    element = Element()
    with pytest.raises(ValidationError):
        element.id = Element().id  # type: ignore[misc]
    with pytest.raises(ValidationError):
        Element(nickname="x")  # type: ignore[call-arg]


def test_metadata_may_hold_live_values() -> None:
    """Metadata takes any values and is written as JSON; what cannot be written is named."""
    element = Element(metadata={"created_at": datetime(2025, 1, 5, tzinfo=UTC)})
    assert element.to_dict()["metadata"]["created_at"] == "2025-01-05T00:00:00Z"
    assert Element(metadata=None).metadata == {}
    with pytest.raises(NotPortable, match=r"'metadata' of Element .*<lambda>"):
        Element(metadata={"f": lambda: None}).to_dict()


def test_pydantic_writes_the_same() -> None:
    """An element inside another pydantic value is written the way `to_dict` writes it."""
    node = Node(content=1)
    assert node.model_dump() == node.to_dict()
    assert json.loads(node.model_dump_json()) == node.to_dict()


def test_names_of_the_package_are_taken() -> None:
    """A class of a user cannot take the place of one of the package; its own name it may use again."""
    with pytest.raises(ConfigError, match="Node is taken by lion_broker"):
        type("Node", (Element,), {"__module__": "elsewhere"})
    first = type("Sheet", (Element,), {"__module__": "elsewhere"})
    second = type("Sheet", (Element,), {"__module__": "elsewhere"})
    assert first is not second
    assert element_class("Sheet") is second
    assert element_class("Node") is Node
