"""Element: what has an identity, and how it is written down and read back."""

import sys
import time
from collections.abc import Mapping
from copy import deepcopy
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, Final, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_serializer,
)

from lion_broker.core.concepts import Observable
from lion_broker.core.ids import IDType
from lion_broker.core.portable import plain_dict
from lion_broker.errors import ConfigError, ItemNotFoundError, LionError

__all__ = ["END_OF_TIME", "Element", "Timestamp", "element_class"]

# The closed registry: class names in data are looked up here and nowhere else, and nothing but this package's own
# modules is ever imported for them.
_classes: dict[str, type["Element"]] = {}

# Past pydantic, which looks every name up: for fields that are valid.
_set = object.__setattr__


def _bear(element: "Element", fields: dict[str, Any], given: set[str]) -> None:
    """Give a new element its fields, as pydantic would once it had looked at them."""
    _set(element, "__dict__", fields)
    _set(element, "__pydantic_fields_set__", given)
    _set(element, "__pydantic_extra__", None)
    _set(element, "__pydantic_private__", None)


@lru_cache(maxsize=256)
def _given(kind: type["Element"]) -> set[str]:
    return set(kind.model_fields)


def _seconds(value: Any) -> float:
    if isinstance(value, datetime):
        return value.timestamp()
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ConfigError(f"{value!r:.80} is no time. Give seconds since the epoch or a datetime.") from None


END_OF_TIME: Final = 253_402_300_800
"""The year 10000, in seconds since the epoch; what comes after it is taken for milliseconds."""
Timestamp = Annotated[float, BeforeValidator(_seconds), Field(ge=0, lt=END_OF_TIME)]


class Element(BaseModel, Observable):
    """Something with an id, a time of creation and free metadata.

    Elements are equal when their ids are, hash by id, and are true even when they hold nothing (collections
    differ, and say so). Every subclass can be read back by its short class name.
    """

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True, validate_default=False)

    id: IDType = Field(default_factory=IDType.create, frozen=True)
    created_at: Timestamp = Field(default_factory=time.time, frozen=True)
    metadata: dict[str, Any] = Field(default_factory=dict)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        _register(cls)

    @field_validator("metadata", mode="before")
    @classmethod
    def _own_metadata(cls, value: Any, info: ValidationInfo) -> dict[str, Any]:
        """Copy the metadata and take the class name out of it, which must be the name of this class."""
        if not value:
            return {}
        try:
            metadata = dict(value)
        except (TypeError, ValueError):
            raise ConfigError(f"metadata is a mapping, not {type(value).__name__}.") from None
        kind = metadata.pop("lion_class", cls.__name__)
        if kind != cls.__name__:
            raise ConfigError(
                f"metadata names the class {kind!r}, but this is {cls.__name__}. Read it with that class."
            )
        return metadata

    @classmethod
    def class_name(cls, full: bool = False) -> str:
        """Return the short name of the class, the one in `to_dict()`, or the dotted one with `full`."""
        return f"{cls.__module__}.{cls.__qualname__}" if full else cls.__name__

    def to_dict(self) -> dict[str, Any]:
        """Return everything that `from_dict` needs, as plain JSON values; the element stays as it is.

        Raises NotPortable, naming the field, when a value cannot be written as JSON.
        """
        fields = type(self).model_fields.items()
        return self._plain({name: getattr(self, name) for name, field in fields if not field.exclude})

    def _plain(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return fields as plain values, with the class name put into the metadata."""
        plain = plain_dict(values, f"{type(self).__name__} {self.id}")
        plain["metadata"]["lion_class"] = type(self).__name__
        return plain

    @model_serializer(mode="plain")
    def _serialize(self) -> dict[str, Any]:
        """Let pydantic write an element the way `to_dict` does, also inside other values."""
        return self.to_dict()

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], /) -> Self:
        """Return the element that `to_dict` wrote, of the subclass that it names.

        `values` is not changed. Raises ItemNotFoundError for a class that is not registered, ValueError for
        one that is no subclass of this one or for values that do not fit it.
        """
        return cls._named_in(values)._revive(dict(values))

    @classmethod
    def _revive(cls, values: dict[str, Any]) -> Self:
        """Make an element of this very class from the values of its dict, which it may change."""
        return cls._made_of(values)

    def _born_with(self, fields: dict[str, Any]) -> None:
        """Do what pydantic's `__init__` does, past pydantic where it is asked for nothing and the class is ours.

        Every branch has some collections, and a worker makes a branch for many a turn.
        """
        if fields or not type(self).__module__.startswith("lion_broker."):
            super().__init__(**fields)
            return
        _bear(self, {"id": IDType.create(), "created_at": time.time(), "metadata": {}}, set())

    @classmethod
    def _made_of(cls, fields: dict[str, Any]) -> Self:
        """Make an element; what pydantic says against the fields becomes an error of this package."""
        try:
            return cls(**fields)
        except ValidationError as error:
            kind = _first_cause(error)
            raise kind(f"not a valid {cls.__name__}: {_reasons(error)}") from error
        except TypeError as error:  # a class with its own arguments
            raise ConfigError(f"This is no valid {cls.__name__}: {error}") from error

    @classmethod
    def _made_of_valid(cls, fields: dict[str, Any]) -> Self:
        """Make an element of all its fields, which are valid and become its own; only for kinds of this package."""
        made = cls.__new__(cls)
        # What pydantic notes of the fields that were given, nothing here asks for: all of a kind share one note.
        _bear(made, fields, _given(cls))
        return made

    @classmethod
    def _named_in(cls, values: Mapping[str, Any]) -> type[Self]:
        if not isinstance(values, Mapping):
            raise ConfigError(f"A {cls.__name__} is read from a dict, not from {type(values).__name__}.")
        metadata = values.get("metadata")
        name = metadata.get("lion_class", cls.__name__) if isinstance(metadata, Mapping) else cls.__name__
        if name == cls.__name__:
            return cls
        kind = element_class(name)
        if not issubclass(kind, cls):
            raise ConfigError(
                f"The dict holds a {name}, not a {cls.__name__}. Read it with that class, or with Element."
            )
        return kind

    def _identity(self) -> dict[str, Any]:
        """Return the fields that every element has, for a copy that is the same element."""
        return {"id": self.id, "created_at": self.created_at, "metadata": deepcopy(self.metadata)}

    def __eq__(self, other: object) -> bool:
        return self.id == other.id if isinstance(other, Element) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.id)

    def __bool__(self) -> bool:
        return True

    def __str__(self) -> str:
        return repr(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(id={self.id})"


def element_class(name: object) -> type[Element]:
    """Return the class of elements with this short name; raise ItemNotFoundError when there is none."""
    kind = _known(name) if isinstance(name, str) else None
    if kind is None:
        raise ItemNotFoundError(f"No class of elements is named {name!r:.80}. Import the module that defines it first.")
    return kind


def _known(name: str) -> type[Element] | None:
    """Return the class of this name; the package's own are there whether or not anybody has used them yet."""
    package = sys.modules["lion_broker"]  # not imported: to the layers, the public names are above everything
    if name not in _classes and name in package.__all__:
        getattr(package, name)
    return _classes.get(name)


def _register(kind: type[Element]) -> None:
    ours = kind.__module__.startswith("lion_broker.")
    known = _classes.get(kind.__name__) if ours else _known(kind.__name__)
    # A notebook cell or a module may define its class again; the names of this package are not to be had.
    if known and known.__module__.startswith("lion_broker.") and known.__module__ != kind.__module__:
        raise ConfigError(f"The class name {kind.__name__} is taken by {known.class_name(full=True)}. Use another one.")
    _classes[kind.__name__] = kind


def _first_cause(error: ValidationError) -> type[LionError]:
    """Return the class of error that a validator of this package raised, ConfigError for pydantic's own."""
    causes = [reason.get("ctx", {}).get("error") for reason in error.errors(include_url=False)]
    return next((type(cause) for cause in causes if isinstance(cause, LionError)), ConfigError)


def _reasons(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, reason['loc'])) or 'value'}: {reason['msg']}"
        for reason in error.errors(include_url=False, include_context=False, include_input=False)
    )


_register(Element)
