"""The tools of a branch by name."""

from typing import Any

import pytest

from lion_broker.errors import ToolArgumentsInvalid, ToolError, ToolExists, ToolUnknown
from lion_broker.messages import ActionRequest, ActionRequestModel
from lion_broker.tools import ActionManager, Tool


def add(a: int, b: int) -> int:
    """Add."""
    return a + b


def test_tools_are_registered_by_name() -> None:
    """Functions, tools and lists of them can be given; `in` takes a name, a tool or a function."""
    twice = Tool(name="twice", func=lambda x: 2 * x)
    manager = ActionManager([add], twice)
    assert list(manager.registry) == ["add", "twice"]
    assert len(manager) == 2
    assert "add" in manager
    assert add in manager
    assert twice in manager
    assert Tool(name="add", func=lambda: 0) not in manager


def test_a_name_is_taken_once() -> None:
    """A second tool of the name is refused, as a ToolError and a ValueError, unless it is to replace the first."""
    manager = ActionManager(add)
    with pytest.raises(ToolExists, match="Tool add is already registered") as caught:
        manager.register_tool(Tool(name="add", func=len))
    assert isinstance(caught.value, ToolError)
    assert isinstance(caught.value, ValueError)
    manager.register_tool(Tool(name="add", func=lambda: 0), update=True)
    assert add not in manager


def test_only_functions_and_tools_can_be_registered() -> None:
    """A name is no tool."""
    with pytest.raises(ToolError, match="not of str"):
        ActionManager().register_tools("add")


@pytest.mark.anyio
@pytest.mark.parametrize(
    "request_",
    [
        {"function": "add", "arguments": {"a": 1, "b": -1}},
        ActionRequestModel(function="add", arguments={"a": 1, "b": -1}),
        ActionRequest.create("add", {"a": 1, "b": -1}),
    ],
)
async def test_requests_of_all_kinds_are_answered(request_: Any) -> None:
    """A message, a model and a dict can ask; the outcome zero is an outcome."""
    calling = await ActionManager(add).invoke(request_)
    assert calling.response == 0
    assert calling.error is None


@pytest.mark.anyio
async def test_unfitting_arguments_fail_the_call() -> None:
    """A call that cannot be made comes back failed, with the reason, for the model to read."""
    calling = await ActionManager(add).invoke({"function": "add", "arguments": {"a": "one"}})
    assert "b is missing" in str(calling.error)


def test_an_unknown_function_is_an_error_that_lists_the_known() -> None:
    """It is a ToolError and a ValueError."""
    with pytest.raises(ToolUnknown, match=r"Function subtract is not registered. Registered are: add") as caught:
        ActionManager(add).match_tool({"function": "subtract"})
    assert isinstance(caught.value, ValueError)


def test_arguments_have_names() -> None:
    """A list of arguments is refused."""
    with pytest.raises(ToolArgumentsInvalid, match="must be an object, not list"):
        ActionManager(add).match_tool({"function": "add", "arguments": [1, 2]})


def test_what_is_no_request_is_refused() -> None:
    """Something without a function is a TypeError."""
    with pytest.raises(TypeError, match="names a function"):
        ActionManager(add).match_tool("add")  # type: ignore[arg-type]


def test_schemas_come_as_providers_take_them() -> None:
    """All, none, or chosen ones by name, function, tool or ready schema."""
    manager = ActionManager(add)
    schema = manager.registry["add"].tool_schema
    assert manager.get_tool_schema(True) == {"tools": [schema]}
    assert manager.get_tool_schema(False) == []
    assert manager.get_tool_schema("add") == {"tools": [schema]}
    assert manager.get_tool_schema([add, schema]) == {"tools": [schema, schema]}
    assert manager.schema_list == [schema]


def test_asking_for_the_schema_of_a_new_function_registers_it() -> None:
    """Unless that is not wanted."""
    manager = ActionManager()
    manager.get_tool_schema(add, auto_register=False)
    assert add not in manager
    manager.get_tool_schema(add)
    assert add in manager


def test_the_schema_of_an_unknown_name_is_an_error() -> None:
    """A name that nobody has registered cannot be described."""
    with pytest.raises(ToolUnknown, match="subtract"):
        ActionManager(add).get_tool_schema("subtract")


def test_an_absent_tool() -> None:
    """What a branch had elsewhere: a call says that it is missing here, until it is registered again."""
    manager = ActionManager()
    manager.absent["length"] = {"ref": "length"}
    with pytest.raises(ToolUnknown, match="length is missing here"):
        manager.match_tool({"function": "length", "arguments": {}})
    assert (len(manager), "length" in manager) == (0, False)
    manager.register_tool(Tool(name="length", func=len))
    assert not manager.absent
