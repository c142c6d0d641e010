"""Messages made of values that this package wrote, without asking pydantic where nothing can be wrong.

A history of a million messages is read message by message, and pydantic's part of one takes longer than all the rest.
Only the kinds of this package, in the shape that their own `to_dict` gives, go this way; all else goes the usual one,
and gets its errors.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final, TypeAlias

from lion_broker.core.deferred import Deferred
from lion_broker.core.element import END_OF_TIME, element_class
from lion_broker.core.ids import IDType
from lion_broker.errors import ItemNotFoundError
from lion_broker.messages.base import MessageFlag, MessageRole, RoledMessage, SenderRecipient, named_party
from lion_broker.messages.instruction import Instruction

__all__ = ["UnreadClone", "message_of", "unread_clone"]

_FIELDS: Final = 7
"""How many a message has that has no template, embedding or flag."""
_ROLES: Final = {role.value: role for role in MessageRole}
_ID: Final = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch


_Usual: TypeAlias = tuple[type[RoledMessage], IDType, MessageRole, SenderRecipient, SenderRecipient]
"""What had to be looked at of a message before it could be made: kind, id, role, sender, recipient."""


def message_of(values: dict[str, Any]) -> RoledMessage:
    """Return what `RoledMessage.from_dict(values, loaded=False)` does, of JSON values that become the message's own."""
    usual = _usual(values)
    if usual is None:
        return RoledMessage.from_dict(values, loaded=False)
    kind, id_, role, sender, recipient = usual
    metadata = values["metadata"]
    del metadata["lion_class"]
    return kind._made_of_valid(
        {
            "id": id_,
            "created_at": values["created_at"],
            "metadata": metadata,
            "content": values["content"],
            "embedding": None,
            "role": role,
            "sender": sender,
            "recipient": recipient,
            "template": None,
            "flag": None,
        }
    )


def unread_clone(
    said: dict[str, Any] | str, sender: IDType, recipient: IDType, id: IDType, created_at: float
) -> UnreadClone | RoledMessage:
    """Return the `clone` of the message that `message_of` would return, still to be made where it is a usual one.

    A text stands for an Instruction that has the clone's id and time already.
    """
    values: Any = Instruction.dict_of(said, id, created_at) if type(said) is str and said else said
    usual = _usual(values)
    if usual is None or type(created_at) is not float:
        original = RoledMessage.from_dict(values, loaded=False)
        return original.clone(sender=sender, recipient=recipient, id=id, created_at=created_at)
    return UnreadClone(id, created_at, sender, recipient, usual, values)


class UnreadClone(Deferred[RoledMessage]):
    """A clone that nobody has looked at yet, and what is to be seen of it without making it.

    A million of them take half the memory and time that their messages would.
    """

    __slots__ = ("_kind", "_metadata", "_origin", "content", "created_at", "recipient", "role", "sender")

    def __init__(
        self,
        id: IDType,
        created_at: float,
        sender: IDType,
        recipient: IDType,
        usual: _Usual,
        values: dict[str, Any],
    ) -> None:
        self._made = None
        self.id, self.created_at, self.sender, self.recipient = id, created_at, sender, recipient
        self._kind, original, self.role, said_by, said_to = usual
        self._origin = (original, values["created_at"], said_by, said_to)
        self.content = values["content"]
        # Most have nothing but their kind there, and what they themselves are clones of.
        metadata = values["metadata"]
        del metadata["lion_class"]
        metadata.pop("clone_from", None)
        self._metadata = metadata or None

    @property
    def text(self) -> str:
        """The message as text."""
        return self._kind.text_of(self.content)

    def is_clone(self) -> bool:
        """Return True: it is one."""
        return True

    def is_loaded(self) -> bool:
        """Return False: it is from no file."""
        return False

    def _make(self) -> RoledMessage:
        original, created, said_by, said_to = self._origin
        origin = {
            "original_id": str(original),
            "created_at": created,
            "sender": str(said_by),
            "recipient": str(said_to),
            "lion_class": self._kind.__name__,
            "role": self.role.value,
        }
        return self._kind._made_of_valid(
            {
                "id": self.id,
                "created_at": self.created_at,
                "metadata": {**(self._metadata or {}), "clone_from": origin},
                "content": self.content,
                "embedding": None,
                "role": self.role,
                "sender": self.sender,
                "recipient": self.recipient,
                "template": None,
                "flag": MessageFlag.MESSAGE_CLONE,
            }
        )


def _usual(values: Any) -> _Usual | None:
    """Look at a message; None for one that is not as almost every one is, and wants a closer look."""
    try:
        id_, metadata, created, role = values["id"], values["metadata"], values["created_at"], values["role"]
        sender, recipient, content = values["sender"], values["recipient"], values["content"]
    except (KeyError, TypeError):
        return None
    if len(values) != _FIELDS:
        return None
    if not (type(metadata) is type(content) is dict and type(created) is float and 0 <= created < END_OF_TIME):
        return None
    if not (type(id_) is type(role) is type(sender) is type(recipient) is str and sender and recipient):
        return None
    name = metadata.get("lion_class")
    kind = _built_in(name) if type(name) is str else None
    if kind is None or role not in _ROLES or not _ID(id_):
        return None
    return kind, IDType(id_), _ROLES[role], named_party(sender), named_party(recipient)


@lru_cache(maxsize=64)
def _built_in(name: str) -> type[RoledMessage] | None:
    """The kind of this package that has a name; it stays that, for nobody else may take the name."""
    try:
        kind = element_class(name)
    except ItemNotFoundError:
        return None
    return kind if issubclass(kind, RoledMessage) and kind.is_built_in() else None
