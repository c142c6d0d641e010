"""Tool: a function that a model may call, with its schema."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, Self

from pydantic import Field, PrivateAttr

from lion_broker.core.element import Element
from lion_broker.errors import NotPortable, ToolError
from lion_broker.tools.schema import ArgumentCheck, function_name, function_schema, validated_arguments

__all__ = ["Tool"]


class Tool(Element):
    """A function with the schema that a model is shown.

    `Tool(func_callable=f)` or `Tool(name="x", func=f)`; sync and async functions, methods, partials and
    callable objects will do. The schema comes from the annotations and the docstring. `preprocessor` gets the
    arguments as a dict and returns them changed, `postprocessor` gets the result; both may be async.
    `timeout` is in seconds. `once` says that a call must not be made twice, not even when its worker died in the middle
    (see UnknownOutcome). A tool is code: it is written down by name and schema, and never read back.
    """

    func_callable: Callable[..., Any] = Field(exclude=True)
    tool_schema: dict[str, Any]
    preprocessor: Callable[..., Any] | None = Field(default=None, exclude=True)
    preprocessor_kwargs: dict[str, Any] = Field(default_factory=dict, exclude=True)
    postprocessor: Callable[..., Any] | None = Field(default=None, exclude=True)
    postprocessor_kwargs: dict[str, Any] = Field(default_factory=dict, exclude=True)
    timeout: float | None = Field(default=None, gt=0)
    once: bool = False

    _check: ArgumentCheck = PrivateAttr()

    def __init__(
        self,
        func_callable: Callable[..., Any] | None = None,
        *,
        name: str = "",
        func: Callable[..., Any] | None = None,
        description: str = "",
        **fields: Any,
    ) -> None:
        """Make a tool of a callable; raises ToolError for something that cannot be called or described."""
        if func_callable is not None and func is not None:
            raise ToolError("func_callable and func are two names of one thing; give one of them.")
        function = func_callable if func_callable is not None else func
        if not callable(function):
            raise ToolError(f"A tool is made of a function, not of {type(function).__name__}.")
        schema, check = function_schema(function, name or function_name(function), description)
        super().__init__(**{"tool_schema": schema, **fields, "func_callable": function})
        self._check = check

    @classmethod
    def of(cls, item: "Tool | Callable[..., Any]") -> "Tool":
        """Return the tool itself, or one made of a function; raises ToolError for anything else."""
        return item if isinstance(item, Tool) else cls(func_callable=item)

    @property
    def function(self) -> str:
        """The name that a model calls it by."""
        return str(self.tool_schema["function"]["name"])

    @property
    def description(self) -> str:
        """What a model is told that it does."""
        return str(self.tool_schema["function"].get("description", ""))

    @property
    def required_fields(self) -> set[str]:
        """The names of the arguments that every call must have."""
        return set(self._parameters.get("required", ()))

    @property
    def _parameters(self) -> dict[str, Any]:
        return dict(self.tool_schema["function"]["parameters"])

    def validated(self, arguments: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """Return positional and named arguments in the annotated types; raises ToolArgumentsInvalid."""
        named = validated_arguments(self._check, self.function, arguments)
        parameters = inspect.signature(self.func_callable).parameters.values()
        by_place = [p.name for p in parameters if p.kind is p.POSITIONAL_ONLY and p.name in named]
        return [named.pop(name) for name in by_place], named

    def to_dict(self) -> dict[str, Any]:
        """Return the name, description and schema, without the code."""
        return super().to_dict() | {"function": self.function, "description": self.description}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], /) -> NoReturn:
        """Always raises NotPortable, because code never comes from data."""
        raise NotPortable(
            f"The tool {values.get('function', '')!r} cannot be made from data, because a tool is code:"
            " register the function where it is to run, and name it."
        )

    @classmethod
    def _revive(cls, values: dict[str, Any]) -> Self:
        return cls.from_dict(values)

    def __repr__(self) -> str:
        return f"Tool({self.function}({', '.join(self._parameters['properties'])}))"
