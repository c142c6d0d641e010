"""What can be written as JSON, and how."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any

import pytest
from pydantic import BaseModel

from lion_broker.core.ids import IDType
from lion_broker.core.node import Node
from lion_broker.core.portable import one_line, plain_dict, readable, to_portable
from lion_broker.errors import NotPortable


class Colour(Enum):
    """An enum."""

    RED = "red"


class Model(BaseModel):
    """A pydantic model."""

    day: date


@dataclass
class Pair:
    """A dataclass."""

    left: int
    right: Any


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        ((1, 2), [1, 2]),
        ({1: {"a"}}, {"1": ["a"]}),
        (Colour.RED, "red"),
        (Model(day=date(2025, 1, 5)), {"day": "2025-01-05"}),
        (Pair(1, Pair(2, None)), {"left": 1, "right": {"left": 2, "right": None}}),
        (datetime(2025, 1, 5, tzinfo=UTC), "2025-01-05T00:00:00Z"),
        (10**30, 10**30),
        (b"text", "text"),
    ],
)
def test_values_with_a_json_form(value: Any, plain: Any) -> None:
    """Models, dataclasses, enums, dates, tuples and sets become plain values."""
    assert to_portable(value) == plain


def test_elements_and_ids() -> None:
    """An element inside becomes its dict, an id plain text."""
    node = Node()
    plain = to_portable([node, node.id])
    assert plain == [node.to_dict(), node.id]
    assert type(plain[1]) is str
    assert type(node.id) is IDType


def test_the_copy_is_deep() -> None:
    """Nothing in the copy is shared with the original."""
    inner = [1]
    plain = to_portable({"a": inner})
    inner.append(2)
    assert plain == {"a": [1]}


def circle() -> list[Any]:
    """Return a list that contains itself."""
    values: list[Any] = []
    values.append(values)
    return values


@pytest.mark.parametrize("value", [print, object(), Model, b"\xff", circle(), Node(content=print)])
def test_values_without_a_json_form(value: Any) -> None:
    """Functions, classes, raw bytes and circles are refused, wherever they stand."""
    with pytest.raises(NotPortable, match="cannot be written as JSON"):
        to_portable({"a": [value]})
    with pytest.raises(
        NotPortable, match=r"^The value cannot be written as JSON: .+\. Use text, numbers, .+ instead\.$"
    ):
        to_portable(value)
    with pytest.raises(NotPortable, match=r"^'b' of the thing cannot be written as JSON: .+\. Use text, .+ instead\.$"):
        plain_dict({"a": 1, "b": value}, "the thing")


def test_a_fallback_finds_a_form() -> None:
    """With a fallback, what is left becomes what it returns."""
    assert to_portable({"a": [Model]}, fallback=lambda kind: kind.__name__) == {"a": ["Model"]}


def test_text_that_everybody_takes() -> None:
    """Half characters are escaped, other text stays as it is, and what cannot say anything is named."""

    class Mute:
        def __str__(self) -> str:
            raise RuntimeError

    assert readable("Größe 🦁\n") == "Größe 🦁\n"
    assert readable("a\ud800b") == "a\\ud800b"
    assert readable(ValueError("no\udfff")) == "no\\udfff"
    assert readable(Mute()) == "<Mute that cannot be shown>"


def test_text_that_is_too_long() -> None:
    """It is cut to the length that was asked for, the mark of it included."""
    assert readable("x" * 100, 100) == "x" * 100
    cut = readable("x" * 5_000_000, 2_000)
    assert len(cut) == 2_000
    assert cut.endswith("x … (cut; it has 5,000,000 characters)")
    assert len(readable("\ud800" * 400, 2_000)) == 2_000


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("two\nlines\t and  blanks ", "two lines and blanks"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("turned \u202e round", "turned \\u202e round"),
        ("half \ud800", "half \\ud800"),
        ("wide 猫 …", "wide 猫 …"),
        ("", ""),
        (7, "7"),
    ],
)
def test_one_line_steers_no_terminal(text: Any, shown: str) -> None:
    """Line ends are blanks, and what is no sign is an escape."""
    assert one_line(text) == shown


def test_one_line_is_cut() -> None:
    """To so many characters, the mark of the cut among them, however long the text is."""
    assert one_line("x" * 10**6, 5) == "xxxx…"
    assert one_line("\x1b" * 10, 10) == "\\x1b\\x1b\\…"
    assert one_line("12345", 5) == "12345"
