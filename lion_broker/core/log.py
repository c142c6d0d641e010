"""Log: a record of something that happened, and the collection that a branch keeps of them."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field, field_validator

from lion_broker.core.element import Element
from lion_broker.core.pile import Pile
from lion_broker.core.portable import to_portable

__all__ = ["Log", "LogPile"]


class Log(Element):
    """A record; `content` holds plain JSON values, copied when the record is made."""

    content: dict[str, Any] = Field(default_factory=dict, frozen=True)

    @field_validator("content", mode="before")
    @classmethod
    def _plain_content(cls, value: Any) -> Any:
        return to_portable(value, what="The content of a log")

    @classmethod
    def create(cls, content: Element | Mapping[str, Any] | str, /) -> "Log":
        """Return a record of an element (its dict), a mapping, or a text (under the key `text`).

        A Log is returned as it is. Raises TypeError for other objects, NotPortable for values without a JSON
        form.
        """
        if isinstance(content, Log):
            return content
        if isinstance(content, str):
            return cls._made_of({"content": {"text": content}})
        if isinstance(content, Element):
            return cls._made_of({"content": content.to_dict()})
        if isinstance(content, Mapping):
            return cls._made_of({"content": dict(content)})
        raise TypeError(f"A log is made of a text, a mapping or an element, not of {type(content).__name__}.")

    def __str__(self) -> str:
        text = self.content.get("text")
        return text if isinstance(text, str) else str(self.content)


class LogPile(Pile[Log]):
    """The records of a branch in the order they were made; it holds nothing but Logs."""

    def __init__(
        self,
        collections: Any = None,
        item_type: Any = Log,
        order: Any = None,
        strict_type: bool = False,
        **fields: Any,
    ) -> None:
        super().__init__(collections, item_type, order, strict_type, **fields)

    def log(self, content: Element | Mapping[str, Any] | str, /) -> Log:
        """Record a text, a mapping, an element or a Log, and return the record."""
        record = Log.create(content)
        self.include(record)
        return record

    async def alog(self, content: Element | Mapping[str, Any] | str, /) -> Log:
        """Do `log` when no other task holds the pile."""
        async with self:
            return self.log(content)
