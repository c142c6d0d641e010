"""Messages made of values that this package wrote, without asking pydantic where nothing can be wrong.

A history of a million messages is read message by message, and pydantic's part of one takes longer than all the rest.
Only the kinds of this package, in the shape that their own `to_dict` gives, go this way; all else goes the usual one,
and gets its errors.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias

from pydantic_core import from_json

from lion_broker.core.deferred import Deferred
from lion_broker.core.element import END_OF_TIME, element_class
from lion_broker.core.ids import IDType
from lion_broker.errors import ItemNotFoundError
from lion_broker.messages.base import MessageFlag, MessageRole, RoledMessage, SenderRecipient, named_party
from lion_broker.messages.instruction import Instruction, content_of

__all__ = [
    "TextItem",
    "Unread",
    "UnreadClone",
    "UnreadText",
    "WrittenItem",
    "message_of",
    "text_item",
    "unread_clone",
    "written_item",
]

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
) -> Unread | RoledMessage:
    """Return the `clone` of the message that `message_of` would return, still to be made where it is a usual one.

    A text stands for an Instruction that has the clone's id and time already.
    """
    values: Any = said
    if type(said) is str and said:
        if item := text_item(said, id, created_at):
            return item.clone(sender, recipient)
        values = Instruction.dict_of(said, id, created_at)
    usual = _usual(values)
    if usual is None or type(created_at) is not float:
        original = RoledMessage.from_dict(values, loaded=False)
        return original.clone(sender=sender, recipient=recipient, id=id, created_at=created_at)
    return UnreadClone(id, created_at, sender, recipient, usual, values)


class TextItem(NamedTuple):
    """A text that a mail brought, with the mail's id and time; as a message it is an Instruction."""

    text: str
    id: IDType
    created_at: float

    def make(self) -> RoledMessage:
        """Return the Instruction."""
        return message_of(Instruction.dict_of(*self))

    def clone(self, sender: IDType, recipient: IDType) -> UnreadText:
        """Return its `clone`, still to be made."""
        return UnreadText(self, sender, recipient)


def text_item(text: str, id: IDType, created_at: float) -> TextItem | None:
    """Return a text of which a message can be made later; None where making it might fail."""
    usual = type(created_at) is float and 0 <= created_at < END_OF_TIME and _ID(id)
    return TextItem(text, id, created_at) if usual else None


class WrittenItem(NamedTuple):
    """A message that a mail brought: what its body says, the body itself, the mail's id and time."""

    said: dict[str, Any]
    body: bytes
    id: IDType
    created_at: float

    def make(self) -> RoledMessage:
        """Return the message."""
        # It takes the values that it is made of; the body may be read once more.
        return message_of({**self.said, "metadata": {**self.said["metadata"]}})

    def clone(self, sender: IDType, recipient: IDType) -> Unread | RoledMessage:
        """Return its `clone`, still to be made; nothing that may change is shared."""
        return unread_clone(from_json(self.body)["item"], sender, recipient, self.id, self.created_at)


def written_item(said: Any, body: bytes, id: IDType, created_at: float) -> WrittenItem | None:
    """Return a message that can be made later; None where making it might fail, or it is of an unusual kind."""
    usual = type(created_at) is float and 0 <= created_at < END_OF_TIME and _ID(id) and _usual(said)
    return WrittenItem(said, body, id, created_at) if usual else None


class UnreadText(Deferred[RoledMessage]):
    """The clone of an Instruction that is nothing but a text, which nobody has looked at yet."""

    __slots__ = ("_item", "recipient", "sender")

    role: Final = MessageRole.USER

    def __init__(self, item: TextItem, sender: IDType, recipient: IDType) -> None:
        self._made = None
        self._item, self.id, self.sender, self.recipient = item, item.id, sender, recipient

    @property
    def created_at(self) -> float:
        """When the mail was made."""
        return self._item.created_at

    @property
    def text(self) -> str:
        """The message as text."""
        return self._item.text

    @property
    def content(self) -> dict[str, Any]:
        """What the message will say, made anew each time."""
        return content_of(self._item.text)

    def is_clone(self) -> bool:
        """Return True: it is one."""
        return True

    def is_loaded(self) -> bool:
        """Return False: it is from no file."""
        return False

    def _make(self) -> RoledMessage:
        item = self._item
        return item.make().clone(sender=self.sender, recipient=self.recipient, id=item.id, created_at=item.created_at)


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


Unread: TypeAlias = UnreadClone | UnreadText
"""A clone that nobody has looked at yet."""


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
