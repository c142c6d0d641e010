"""What a model is told about a function."""

from functools import partial
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from lion_broker.errors import ToolError
from lion_broker.tools.schema import function_name, function_schema

MISSING = object()


class Place(BaseModel):
    """A place with a property that is called title."""

    title: str
    floor: int = 0


class Greeter:
    """Something that can be called without being a function."""

    def __call__(self) -> str:
        return "hello"


def search(query: str, limit: Annotated[int, Field(ge=1)] = 5, mode: Literal["a", "b"] = "a") -> list[str]:
    """Search the shelf.

    Slowly.

    Args:
        query: What to look for.
        limit: How many at most.
    """
    return [query] * limit


def numpy_style(count: int) -> int:
    """Count.

    Parameters
    ----------
    count : int
        From where.
    """
    return count


def sphinx_style(count: int) -> int:
    """Count.

    :param count: From where.
    """
    return count


def parameters_of(function: Any) -> dict[str, Any]:
    """Return the schema of the parameters of a function."""
    parameters: dict[str, Any] = function_schema(function, "f")[0]["function"]["parameters"]
    return parameters


def test_a_schema_has_types_texts_defaults_and_limits() -> None:
    """Annotations give the types and limits, the docstring gives the texts."""
    schema, _ = function_schema(search, "search")
    assert schema == {
        "type": "function",
        "function": {
            "name": "search",
            "description": "Search the shelf.\n\nSlowly.",
            "parameters": {
                "type": "object",
                "properties": {
                    "query": {"type": "string", "description": "What to look for."},
                    "limit": {"type": "integer", "minimum": 1, "default": 5, "description": "How many at most."},
                    "mode": {"type": "string", "enum": ["a", "b"], "default": "a"},
                },
                "required": ["query"],
                "additionalProperties": False,
            },
        },
    }


@pytest.mark.parametrize("function", [numpy_style, sphinx_style])
def test_the_usual_docstring_styles_are_read(function: Any) -> None:
    """NumPy and Sphinx docstrings describe parameters as well as Google's."""
    assert parameters_of(function)["properties"]["count"]["description"] == "From where."


def test_a_property_named_title_stays() -> None:
    """Generated titles go, a field of that name does not."""

    def visit(place: Place) -> None: ...

    place = parameters_of(visit)["$defs"]["Place"]
    assert list(place["properties"]) == ["title", "floor"]
    assert "title" not in place


def test_parameters_without_annotations_take_anything() -> None:
    """An unannotated parameter has an empty schema and is required."""
    assert parameters_of(lambda x: x) == {
        "type": "object",
        "properties": {"x": {}},
        "required": ["x"],
        "additionalProperties": False,
    }


def test_variable_arguments_are_open_by_name_only() -> None:
    """`*args` is not shown to a model, `**kwargs` lets further arguments in."""

    def gather(first: int, *rest: int, **more: str) -> None: ...

    parameters = parameters_of(gather)
    assert list(parameters["properties"]) == ["first"]
    assert parameters["additionalProperties"] == {"type": "string"}


def test_a_partial_keeps_what_is_bound_as_default() -> None:
    """A bound argument of a partial is a default that a model may change."""
    assert parameters_of(partial(search, limit=3))["properties"]["limit"]["default"] == 3


def test_a_default_without_json_form_is_left_out() -> None:
    """A sentinel as default makes the parameter optional and is not shown."""

    def ask(what: str, missing: Any = MISSING) -> None: ...

    parameters = parameters_of(ask)
    assert parameters["required"] == ["what"]
    assert parameters["properties"]["missing"] == {}


def test_a_type_that_json_cannot_fill_is_refused() -> None:
    """The error names the tool and says what to annotate instead."""

    class Opaque:
        pass

    def take(thing: Opaque) -> None: ...

    take.__annotations__["thing"] = Opaque
    with pytest.raises(ToolError, match="parameters of the tool 'take' have no JSON schema"):
        function_schema(take, "take")


def test_an_unreadable_signature_is_refused() -> None:
    """A builtin without a signature has to be wrapped."""
    with pytest.raises(ToolError, match="Wrap it in a function of your own"):
        function_schema(max, "max")


def test_an_unresolvable_annotation_is_refused() -> None:
    """An annotation that names nothing is an error when the tool is made, not when it is called."""

    def take(thing: Any) -> None: ...

    take.__annotations__["thing"] = "Nowhere"
    with pytest.raises(ToolError, match="Nowhere"):
        function_schema(take, "take")


def test_names_fit_what_providers_accept() -> None:
    """Lambdas, callable objects and partials have names of letters, digits, `_` and `-`."""
    assert function_name(lambda: None) == "lambda"
    assert function_name(Greeter()) == "Greeter"
    assert function_name(partial(partial(search), limit=1)) == "search"
