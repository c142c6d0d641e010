"""Tools: functions that models may call."""

import json
from functools import partial

import pytest

from lion_broker.core.element import Element
from lion_broker.errors import NotPortable, ToolArgumentsInvalid, ToolError
from lion_broker.tools import Tool


def add(a: int, b: int = 0) -> int:
    """Add two numbers."""
    return a + b


def test_a_tool_is_made_of_a_function_in_three_ways() -> None:
    """`Tool(func_callable=f)`, `Tool(name=, func=)` and `Tool.of(f)` make the same kind of tool."""
    assert Tool(func_callable=add).function == "add"
    assert Tool(name="plus", func=add).function == "plus"
    assert Tool.of(add).func_callable is add


def test_a_tool_is_returned_as_it_is() -> None:
    """`Tool.of` makes no tool of a tool."""
    tool = Tool(func_callable=add)
    assert Tool.of(tool) is tool


@pytest.mark.parametrize("thing", ["add", 7, None])
def test_what_cannot_be_called_is_no_tool(thing: object) -> None:
    """A name or number is refused with its type."""
    with pytest.raises(ToolError, match="made of a function"):
        Tool(func_callable=thing)  # type: ignore[arg-type]


def test_a_function_given_twice_is_refused() -> None:
    """The two names of the one argument cannot both be used."""
    with pytest.raises(ToolError, match="two names of one thing"):
        Tool(func_callable=add, func=add)


def test_a_tool_tells_what_a_call_needs() -> None:
    """Description and required arguments come from the function."""
    tool = Tool(func_callable=add)
    assert tool.description == "Add two numbers."
    assert tool.required_fields == {"a"}
    assert repr(tool) == "Tool(add(a, b))"


def test_arguments_are_converted_to_the_annotated_types() -> None:
    """A model's text "2" becomes the number that the function asks for."""
    assert Tool(func_callable=add).validated({"a": "2"}) == ([], {"a": 2, "b": 0})


def test_positional_only_parameters_are_given_by_place() -> None:
    """Models call by name; what can only be given by place is put there."""

    def power(base: int, /, exponent: int) -> int:
        return int(base**exponent)

    positional, named = Tool(func_callable=power).validated({"base": 2, "exponent": 3})
    assert power(*positional, **named) == 8


def test_every_fault_of_the_arguments_is_named() -> None:
    """Missing, unknown and unfitting arguments are told at once, in words."""
    with pytest.raises(ToolArgumentsInvalid) as caught:
        Tool(func_callable=add).validated({"b": "many", "c": 1})
    assert "a is missing" in str(caught.value)
    assert "c is not one of its arguments" in str(caught.value)
    assert "b: Input should be a valid integer" in str(caught.value)


def test_bound_methods_are_tools() -> None:
    """`self` is bound and not shown."""

    class Counter:
        def __init__(self) -> None:
            self.count = 1

        def more(self, by: int) -> int:
            return self.count + by

    assert Tool(func_callable=Counter().more).required_fields == {"by"}


def test_a_tool_is_written_without_its_code() -> None:
    """Name, description and schema are JSON; the function is not in there."""
    written = Tool(func_callable=partial(add, b=1)).to_dict()
    assert json.loads(json.dumps(written)) == written
    assert written["function"] == "add"
    assert "func_callable" not in written


@pytest.mark.parametrize("reader", [Tool, Element])
def test_a_tool_never_comes_from_data(reader: type[Element]) -> None:
    """What a tool has written cannot be read back, whoever is asked."""
    with pytest.raises(NotPortable, match="a tool is code"):
        reader.from_dict(Tool(func_callable=add).to_dict())
