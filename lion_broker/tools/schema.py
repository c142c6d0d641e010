"""The schema of a function: what a model is told about it, and the check of the arguments that come back."""

import inspect
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, get_type_hints

from pydantic import PydanticUserError, TypeAdapter, ValidationError, validate_call
from pydantic.errors import PydanticSchemaGenerationError
from pydantic.json_schema import GenerateJsonSchema

from lion_broker.errors import ToolArgumentsInvalid, ToolError

__all__ = ["ArgumentCheck", "function_name", "function_schema", "validated_arguments"]

# Takes the arguments by name and returns them converted to the annotated types.
ArgumentCheck = Callable[..., dict[str, Any]]

_NOT_IN_A_NAME = re.compile(r"[^a-zA-Z0-9_-]+")
_LONGEST_NAME = 64
_FAULTS = {
    "missing_keyword_only_argument": "is missing",
    "missing_argument": "is missing",
    "unexpected_keyword_argument": "is not one of its arguments",
}


def function_name(function: Callable[..., Any]) -> str:
    """Return the name of a callable as model providers take it: letters, digits, `_` and `-`, at most 64."""
    target = _inner(function)
    name = getattr(target, "__name__", None) or type(target).__name__
    return _NOT_IN_A_NAME.sub("_", name).strip("_")[:_LONGEST_NAME] or "tool"


def function_schema(
    function: Callable[..., Any], name: str, description: str = ""
) -> tuple[dict[str, Any], ArgumentCheck]:
    """Return the OpenAI function schema of a callable and the check of its arguments.

    Types come from the annotations, texts from the docstring (Google, NumPy or Sphinx style); a parameter
    without an annotation takes anything, `*args` is left out, `**kwargs` admits further arguments.
    Raises ToolError when the signature cannot be read or a type has no JSON form.
    """
    capture = _capture(function, name)
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(capture)  # type: ignore[arg-type]  # a function is a type to it
        parameters = adapter.json_schema(schema_generator=_QuietSchema)
        check = validate_call(capture)
    except (PydanticSchemaGenerationError, PydanticUserError) as error:
        reason = str(error).partition(".")[0].partition("\n")[0]
        raise ToolError(
            f"The parameters of the tool {name!r} have no JSON schema: {reason}. Annotate them with types"
            " such as str, int, list[str], a dataclass or a pydantic model."
        ) from error
    about, texts = _documented(function)
    schema = {
        "name": name,
        "description": description or about,
        "parameters": _described(parameters, texts),
    }
    return {"type": "function", "function": schema}, check


def validated_arguments(check: ArgumentCheck, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments in the annotated types; raises ToolArgumentsInvalid with every fault in words."""
    try:
        return check(**arguments)
    except ValidationError as error:
        faults = [_fault(fault) for fault in error.errors(include_url=False, include_context=False)]
    raise ToolArgumentsInvalid(f"the arguments of {name} do not fit: {'; '.join(faults)}")


class _QuietSchema(GenerateJsonSchema):
    """Leaves out defaults that have no JSON form instead of warning about them."""

    def emit_warning(self, kind: Any, detail: str) -> None:
        """Say nothing: what cannot be shown to a model is not shown."""


def _capture(function: Callable[..., Any], name: str) -> ArgumentCheck:
    """Return a function with the parameters of another one that returns the arguments it is called with.

    It is validated in place of the real one, so that a fault in the arguments and a fault inside the tool
    cannot be mistaken for each other. All its parameters are by name, because models call by name.
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError) as error:
        raise ToolError(f"{name!r} cannot be a tool: {error}. Wrap it in a function of your own.") from error
    hints = _hints(function)
    parameters = [
        parameter.replace(
            annotation=hints.get(parameter.name, Any),
            kind=parameter.kind if parameter.kind is parameter.VAR_KEYWORD else parameter.KEYWORD_ONLY,
        )
        for parameter in signature.parameters.values()
        if parameter.kind is not parameter.VAR_POSITIONAL
    ]

    def capture(**arguments: Any) -> dict[str, Any]:
        return arguments

    capture.__name__ = capture.__qualname__ = name
    capture.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    # Read by inspect, and so by pydantic.
    capture.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return capture


def _inner(function: Any) -> Any:
    """Return the function inside partials."""
    while isinstance(function, partial):
        function = function.func
    return function


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the resolved annotations of a function, method, class, partial or callable object."""
    target = _inner(function)
    if inspect.isclass(target):
        target = target.__init__
    elif not inspect.isroutine(target):
        target = type(target).__call__
    try:
        return get_type_hints(inspect.unwrap(target), include_extras=True)
    except NameError as error:
        raise ToolError(f"An annotation of {function_name(function)!r} cannot be resolved: {error}.") from error


def _documented(function: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    """Return what the docstring says about a function and about each of its parameters."""
    from docstring_parser import ParseError, parse

    text = inspect.getdoc(_inner(function)) or ""
    try:
        docstring = parse(text)
    except ParseError:
        return text, {}
    about = [part.strip() for part in (docstring.short_description, docstring.long_description) if part]
    texts = {param.arg_name: param.description for param in docstring.params if param.description}
    return "\n\n".join(about), texts


def _described(parameters: Mapping[str, Any], texts: Mapping[str, str]) -> dict[str, Any]:
    """Return the schema of the parameters without generated titles, with the texts of the docstring."""
    schema: dict[str, Any] = {"type": "object", "properties": {}, **_untitled(parameters)}
    for name, value in schema["properties"].items():
        if name in texts:
            value.setdefault("description", texts[name])
    return schema


def _untitled(schema: Any) -> Any:
    """Return a schema without the titles that pydantic makes of names; a property named title stays."""
    if isinstance(schema, list):
        return [_untitled(item) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    return {
        key: {name: _untitled(item) for name, item in value.items()}
        if key in ("properties", "$defs")
        else _untitled(value)
        for key, value in schema.items()
        if key != "title"
    }


def _fault(fault: Any) -> str:
    place = ".".join(str(part) for part in fault["loc"]) or "arguments"
    return f"{place} {_FAULTS[fault['type']]}" if fault["type"] in _FAULTS else f"{place}: {fault['msg']}"
