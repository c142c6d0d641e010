"""What an answer is to become: a pydantic model or another type, a JSON schema, or named fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from pydantic import BaseModel, PydanticUserError, TypeAdapter, ValidationError
from pydantic_core import from_json

from lion_broker.errors import ConfigError, OutputInvalid

__all__ = ["Form", "form_of", "only_one"]

_MOST_FAULTS: Final = 10


@dataclass(frozen=True, slots=True)
class Form:
    """The wanted form: a JSON schema for the model, and the check that makes a value of its answer.

    `take` returns the value for parsed JSON and raises OutputInvalid, in words that a model can act on. `partial` says
    that fields which are missing are left out instead.
    """

    schema: Mapping[str, Any]
    take: Callable[[Any], Any]
    name: str = "answer"
    partial: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        """The names of the fields, when it is an object."""
        return tuple(self.schema.get("properties", ()))

    def response_format(self) -> dict[str, Any]:
        """The form as chat endpoints take it."""
        return {"type": "json_schema", "json_schema": {"name": self.name, "schema": dict(self.schema)}}


def only_one(**given: Any) -> Any:
    """Return the one of several names for the same thing that was given, or None.

    Raises ConfigError (a ValueError) for two.
    """
    named = {name: value for name, value in given.items() if value is not None}
    if len(named) > 1:
        raise ConfigError(f"{' and '.join(named)} are names of one thing; give one of them.")
    return next(iter(named.values()), None)


def form_of(
    response_format: Any = None, request_fields: Mapping[str, Any] | Sequence[str] | None = None
) -> Form | None:
    """Return the form that is asked for, or None; raises ConfigError for something that is none, or for both."""
    if response_format is not None and request_fields is not None:
        raise ConfigError("Give response_format or request_fields, not both.")
    if request_fields is not None:
        return _fields(request_fields)
    if response_format is None or isinstance(response_format, Form):
        return response_format
    if isinstance(response_format, Mapping):
        return _schema(response_format)
    return _type(type(response_format) if isinstance(response_format, BaseModel) else response_format)


def _type(kind: Any) -> Form:
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(kind)
        schema = adapter.json_schema()
    except PydanticUserError as error:
        raise ConfigError(f"No form of an answer: {kind!r:.80} has no JSON schema.") from error
    return Form(schema, partial(_validated, adapter), getattr(kind, "__name__", "answer"))


def _validated(adapter: TypeAdapter[Any], value: Any) -> Any:
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc'])) or 'answer'}: {fault['msg']}" for fault in error.errors()]
        raise OutputInvalid("; ".join(faults[:_MOST_FAULTS])) from error


def _schema(schema: Mapping[str, Any]) -> Form:
    import jsonschema

    try:
        kind = jsonschema.validators.validator_for(schema, jsonschema.Draft202012Validator)
        kind.check_schema(dict(schema))
    except jsonschema.SchemaError as error:
        raise ConfigError(f"response_format is no JSON schema: {error.message}") from error
    return Form(schema, partial(_fitting, kind(dict(schema))), str(schema.get("title") or "answer"))


def _fitting(validator: Any, value: Any) -> Any:
    """Return a value that fits a schema; a text that says a number is taken for one, as pydantic does."""
    errors = list(validator.iter_errors(value))
    if errors:
        value = deepcopy(value)
        value = _converted(value, errors)
        errors = list(validator.iter_errors(value))
    if errors:
        faults = [f"{error.json_path.removeprefix('$.')}: {error.message}" for error in errors[:_MOST_FAULTS]]
        raise OutputInvalid("; ".join(faults))
    return value


def _converted(value: Any, errors: Sequence[Any]) -> Any:
    """Return a value with the texts converted of which a schema says that they should be something else."""
    for error in errors:
        if error.validator != "type" or not isinstance(error.instance, str):
            continue
        try:
            meant = from_json(error.instance.strip().lower())
        except ValueError:
            continue
        path = list(error.absolute_path)
        if not path:
            return meant
        place = value
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = meant
    return value


def _fields(fields: Mapping[str, Any] | Sequence[str]) -> Form:
    names: list[Any] = [fields] if isinstance(fields, str) else list(fields)
    if not names or not all(isinstance(name, str) and name for name in names):
        raise ConfigError("request_fields names at least one field: a list of names, or names with descriptions.")
    schema = {"type": "object", "properties": {name: {} for name in names}}
    return Form(schema, partial(_found, names), partial=True)


def _found(names: Sequence[str], value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise OutputInvalid(f"answer: an object with the fields {', '.join(names)} is needed")
    return {name: value[name] for name in names if name in value}
