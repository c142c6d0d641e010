"""Node: an element with content."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import field_validator
from pydantic_core import from_json

from lion_broker.core.concepts import Relational
from lion_broker.core.element import Element
from lion_broker.errors import ConfigError

__all__ = ["Node"]


class Node(Element, Relational):
    """An element that carries content of any kind, and perhaps an embedding of it.

    Content that is an element is written as its dict and read back as the element.
    """

    content: Any = None
    embedding: list[float] | None = None

    @field_validator("embedding", mode="before")
    @classmethod
    def _parsed_embedding(cls, value: Any) -> Any:
        """Accept the JSON text of a list of numbers, as vector stores return it."""
        if not isinstance(value, str):
            return value
        try:
            return from_json(value)
        except ValueError:
            raise ConfigError(f"An embedding is a list of numbers or its JSON, not {value!r:.40}.") from None

    @classmethod
    def _revive(cls, values: dict[str, Any]) -> Self:
        content = values.get("content")
        if isinstance(content, Mapping) and "lion_class" in (content.get("metadata") or ()):
            values["content"] = Element.from_dict(content)
        return super()._revive(values)
