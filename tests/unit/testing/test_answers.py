"""How answers of the fake model server are written."""

import pytest
from pydantic import BaseModel

from lion_broker.testing.model_server.answer import Call, calls_of, text_of
from lion_broker.testing.model_server.openai import pieces
from lion_broker.testing.model_server.script import Script


class Point(BaseModel):
    """A value that a model is asked for."""

    x: int


@pytest.mark.parametrize(
    ("written", "calls"),
    [
        ((), []),
        (("now",), [Call("now", "{}")]),
        (("now", "add", {"a": 1}), [Call("now", "{}"), Call("add", '{"a":1}')]),
        (("add", {"a": 1}, {"a": 2}), [Call("add", '{"a":1}'), Call("add", '{"a":2}')]),
        (("now", Call("add", "{", "id")), [Call("now", "{}"), Call("add", "{", "id")]),
    ],
)
def test_calls_are_written_as_one_speaks(written: tuple[object, ...], calls: list[Call]) -> None:
    """Names, each followed by the arguments of its calls."""
    assert list(calls_of(written)) == calls


@pytest.mark.parametrize("written", [({"a": 1},), (7,), (Call("a"), {"a": 1})])
def test_calls_that_cannot_be_read(written: tuple[object, ...]) -> None:
    """Arguments of no tool and things that are no call are errors."""
    with pytest.raises(TypeError):
        list(calls_of(written))


def test_what_is_no_text_is_json() -> None:
    """A model that is asked for JSON is played with plain values or pydantic objects."""
    assert [text_of(value) for value in ("a", {"a": "ä"}, [1], Point(x=1))] == ["a", '{"a":"ä"}', "[1]", '{"x":1}']


@pytest.mark.parametrize("text", ["", "one", " two  words\n", "\n"])
def test_pieces_make_the_whole(text: str) -> None:
    """Streaming loses nothing, words or characters."""
    assert "".join(pieces(text)) == "".join(pieces(text, 2)) == text


def test_a_script_repeats_its_last_answer() -> None:
    """Answers are given once each, the last one until there is another."""
    script: Script[str] = Script()
    assert script.take() is None
    script.add("a", "b")
    assert script.left == 2
    assert [script.take() for _ in range(3)] == ["a", "b", "b"]
    script.add("c")
    assert [script.take() for _ in range(2)] == ["c", "c"]
    assert script.left == 0
