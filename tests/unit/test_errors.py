"""The tree of errors: what is drawn is what there is."""

import re

import pytest

import lion_broker
from lion_broker import errors
from lion_broker.errors import ItemExistsError, LionError, ToolError, ToolExists


def drawn() -> list[str]:
    """The names in the drawing at the top of the file."""
    return re.findall(r"^[│├└─ ]*([A-Z]\w+)\b", str(errors.__doc__).partition("\n\n")[2], re.MULTILINE)


def test_the_drawing_shows_every_error() -> None:
    """Once, and nothing else is public."""
    assert sorted(drawn()) == sorted(errors.__all__)


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_has_the_one_root(name: str) -> None:
    """Who catches LionError catches all, and each says when it is raised."""
    kind: type[LionError] = getattr(errors, name)
    assert issubclass(kind, LionError)
    assert str(kind.__doc__).startswith("Raised when ")


def test_every_error_can_be_taken_from_the_package() -> None:
    """Whoever reads of an error in a page or a traceback can catch it."""
    assert set(errors.__all__) <= set(lion_broker.__all__)


def test_a_tool_that_exists_is_an_item_that_exists() -> None:
    """It is caught with the errors of tools, and with those of items and values."""
    assert set(ToolExists.__mro__) >= {ToolError, ItemExistsError, ValueError}
