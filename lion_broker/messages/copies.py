"""The clones that a branch begins with which was split off another: taken down at once, made when somebody looks."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from functools import lru_cache
from hashlib import sha1
from operator import attrgetter, itemgetter
from typing import Any, Final
from uuid import UUID

from lion_broker.core.collector import collector_paused
from lion_broker.core.ids import IDType
from lion_broker.core.portable import to_portable
from lion_broker.messages.base import MessageFlag, RoledMessage

__all__ = ["Copies", "copied_id"]

_STATE: Final = attrgetter("__dict__")
_FIELDS: Final = itemgetter(
    "content", "metadata", "embedding", "id", "created_at", "role", "sender", "recipient", "template"
)

_VARIANT: Final = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
"""The digit that says which kind of UUID this is, for each that the digest may have in its place."""


def copied_id(branch: str, message: str) -> IDType:
    """Return the id of a message's copy in a split-off branch, the same for the same two (RFC 9562, version 5)."""
    digits = sha1(_bytes_of(branch) + message.encode(), usedforsecurity=False).hexdigest()
    rest = f"5{digits[13:16]}-{_VARIANT[digits[16]]}{digits[17:20]}-{digits[20:32]}"
    return IDType(f"{digits[:8]}-{digits[8:12]}-{rest}")


@lru_cache(maxsize=64)
def _bytes_of(branch: str) -> bytes:
    return UUID(branch).bytes


class Copies:
    """Clones of messages for `branch`, addressed from `sender`: what each says now, with ids that follow from theirs.

    Taking them down takes a small part of the time that making them does; what becomes of the messages afterwards
    changes nothing here.
    """

    def __init__(self, messages: Iterable[RoledMessage], sender: IDType, branch: IDType) -> None:
        self._sender = sender
        self._branch = branch
        with collector_paused():
            originals = list(messages)
            self._kinds: list[type[RoledMessage]] = list(map(type, originals))
            # All at once, which is several times as quick as message by message. No text is copied, and nobody can
            # change in place what is taken as it is; the rest is copied below.
            self._fields = list(map(_FIELDS, map(_STATE, originals)))
            self._contents: list[dict[str, Any]] = to_portable([fields[0] for fields in self._fields])
            self._own = {
                place: _own(fields[1], fields[2])
                for place, fields in enumerate(self._fields)
                if len(fields[1]) > ("clone_from" in fields[1]) or fields[2] is not None
            }
            ours = {kind for kind in set(self._kinds) if kind.is_built_in()}
            plain = {kind for kind in ours if kind.holds_more is RoledMessage.holds_more}
            self._whole = {
                place: self._clone(one)
                for place, one in enumerate(originals)
                if type(one) not in plain and (type(one) not in ours or one.holds_more())
            }

    def __len__(self) -> int:
        return len(self._contents)

    def make(self) -> list[RoledMessage]:
        """Return the clones, in order; to be done once, for what was taken down becomes their own."""
        with collector_paused():
            rows = enumerate(zip(self._kinds, self._fields, self._contents, strict=True))
            return [self._whole.get(place) or self._made(place, *row) for place, row in rows]

    def _clone(self, message: RoledMessage) -> RoledMessage:
        """The clone of a message that holds more than its fields, which is made at once."""
        id_, created = copied_id(self._branch, message.id), message.created_at
        return message.clone(sender=self._sender, recipient=self._branch, id=id_, created_at=created)

    def _made(
        self, place: int, kind: type[RoledMessage], fields: tuple[Any, ...], content: dict[str, Any]
    ) -> RoledMessage:
        id_, created, role, sender, recipient, template = fields[3:]
        metadata, embedding = self._own.get(place) or ({}, None)
        origin = {
            "original_id": str(id_),
            "created_at": created,
            "sender": str(sender),
            "recipient": str(recipient),
            "lion_class": kind.__name__,
            "role": role.value,
        }
        # A copy of what is valid is valid; asking pydantic again would take most of the time.
        return kind._made_of_valid(
            {
                "id": copied_id(self._branch, id_),
                "created_at": created,
                "metadata": {**metadata, "clone_from": origin},
                "content": content,
                "embedding": embedding,
                "role": role,
                "sender": self._sender,
                "recipient": self._branch,
                "template": template,
                "flag": MessageFlag.MESSAGE_CLONE,
            }
        )


def _own(metadata: dict[str, Any], embedding: list[float] | None) -> tuple[dict[str, Any], list[float] | None]:
    """Metadata, without what a clone says of itself, and embedding, as a copy."""
    kept = {key: value for key, value in metadata.items() if key != "clone_from"}
    return deepcopy(kept) if kept else kept, None if embedding is None else embedding.copy()
