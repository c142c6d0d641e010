"""One addressed item between two branches."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Self

from pydantic import ConfigDict, field_validator

from lion_broker.core.concepts import Sendable
from lion_broker.core.element import Element
from lion_broker.core.ids import ID, IDType

from .package import Package, PackageCategory
from .wire import WireMail

__all__ = ["Mail", "party", "written_mail"]


class Mail(Element, Sendable):
    """A package with the ids of its sender and recipient; frozen.

    `sender` and `recipient` accept an id, its text, or anything that has an id. Raises ValueError
    for a text that is no id.
    """

    model_config = ConfigDict(frozen=True)

    sender: IDType
    recipient: IDType
    package: Package

    @field_validator("sender", "recipient", mode="before")
    @classmethod
    def _to_id(cls, value: Any) -> IDType:
        return ID.get_id(value)

    @classmethod
    def of_valid(cls, package: Package, sender: IDType, recipient: IDType) -> Self:
        """Return the mail of a package, with its id and time; for ids that were looked at already."""
        return cls._made_of_valid(
            {
                "id": package.id,
                "created_at": package.created_at,
                "metadata": {},
                "sender": sender,
                "recipient": recipient,
                "package": package,
            }
        )

    @property
    def category(self) -> PackageCategory:
        """How the recipient applies the item."""
        return self.package.category

    def to_dict(self) -> dict[str, Any]:
        """Return the mail as JSON values; an item without a data form is named by its type only."""
        item = self.package.item
        return {
            "id": str(self.id),
            "created_at": self.created_at,
            "metadata": {**self.metadata, "lion_class": self.class_name()},
            "sender": str(self.sender),
            "recipient": str(self.recipient),
            "category": self.category.value,
            "item": as_json_value(item),
            "request_source": as_json_value(self.package.request_source),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], /) -> Self:
        """Return the mail that `to_dict` described; its item is the JSON value."""
        metadata = {k: v for k, v in data.get("metadata", {}).items() if k != "lion_class"}
        return cls(
            id=data["id"],
            created_at=data["created_at"],
            metadata=metadata,
            sender=data["sender"],
            recipient=data["recipient"],
            package=Package(data["category"], data["item"], data.get("request_source")),
        )

    def __repr__(self) -> str:
        return f"Mail({self.category}, {self.sender[:8]} -> {self.recipient[:8]}, id={self.id[:8]})"


def written_mail(wire: WireMail, text: str) -> Mail:
    """Return the message mail with a plain text that this process has written."""
    header = wire.header
    package = Package(PackageCategory.MESSAGE, text, None, IDType(header.id), header.created)
    return Mail.of_valid(package, IDType(header.sender), IDType(header.recipient))


@lru_cache(maxsize=1024)
def party(text: str) -> IDType:
    """Return a sender's or recipient's id, of whom there are few; raises IDError for what is none."""
    return IDType.validate(text)


def as_json_value(item: Any) -> Any:
    """Return the JSON form of an item: plain values as they are, elements by `to_dict`."""
    if item is None or isinstance(item, (bool, int, float)):
        return item
    if isinstance(item, str):
        return str(item)
    if isinstance(item, dict):
        return {str(key): as_json_value(value) for key, value in item.items()}
    if isinstance(item, (list, tuple)):
        return [as_json_value(value) for value in item]
    if hasattr(item, "to_dict"):
        return item.to_dict()
    return {"unportable": type(item).__name__}
