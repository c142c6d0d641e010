"""RoledMessage: what all messages of a conversation have in common."""

import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from enum import StrEnum
from functools import lru_cache
from string import Formatter
from typing import TYPE_CHECKING, Annotated, Any, Self, TypeAlias
from uuid import UUID

from pydantic import Field, PlainValidator, field_validator

from lion_broker.core.concepts import Observable, Sendable, Watchable
from lion_broker.core.ids import ID, IDType
from lion_broker.core.log import Log
from lion_broker.core.node import Node
from lion_broker.core.portable import to_portable
from lion_broker.errors import ConfigError

__all__ = [
    "MessageFlag",
    "MessageRole",
    "Party",
    "RoledMessage",
    "SenderRecipient",
    "json_text",
    "named_party",
    "validate_sender_recipient",
]


class MessageRole(StrEnum):
    """Who speaks, as chat models see it; `action` is a tool."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    UNSET = "unset"
    ACTION = "action"


class MessageFlag(StrEnum):
    """How a message came to be here, other than by being said here."""

    MESSAGE_CLONE = "MESSAGE_CLONE"
    MESSAGE_LOAD = "MESSAGE_LOAD"


SenderRecipient: TypeAlias = IDType | MessageRole | str

# Past pydantic, which looks every name up: for what is no field, and for fields that are valid.
_set = object.__setattr__

_ROLES = {role.value: role for role in MessageRole}


def validate_sender_recipient(value: Any, /) -> SenderRecipient:
    """Return who `value` is: an element its id, the text of an id an IDType, the name of a role the role.

    None is UNSET, other text a name that is kept as it is. Raises ValueError for anything else.
    """
    if isinstance(value, IDType | MessageRole):
        return value
    if isinstance(value, str) and value:
        return named_party(str(value))
    if value is None:
        return MessageRole.UNSET
    if isinstance(value, Observable | UUID):
        return ID.get_id(value) if isinstance(value, Observable) else IDType.validate(value)
    raise ConfigError(f"A sender or recipient is an id, an element, a role or a name, not {value!r:.80}.")


@lru_cache(maxsize=1024)
def named_party(text: str) -> SenderRecipient:
    """Return who a text is; a conversation names the same few again and again, and keeps each once."""
    return _ROLES.get(text) or (IDType.validate(text) if ID.is_id(text) else text)


# A field that holds a SenderRecipient.
Party = Annotated[SenderRecipient, PlainValidator(validate_sender_recipient)]


# The fields of a message that may change; id and time of creation may not.
_ASSIGNABLE = frozenset(["content", "embedding", "flag", "metadata", "recipient", "role", "sender", "template"])


class RoledMessage(Node, Sendable, Watchable):
    """Something said in a conversation: who said it to whom, in which role, and what.

    `content` holds plain JSON values and is a copy of what was given; it is changed through `update`, the
    properties of the subclasses, or by assigning another dict, so that watchers learn of it. `template` is a
    str.format text over the keys of the content that replaces the usual rendering.
    """

    __slots__ = ("_watchers",)

    if TYPE_CHECKING:
        _watchers: tuple[Callable[[Any], None], ...]

    content: dict[str, Any] = Field(default_factory=dict)
    role: MessageRole = MessageRole.UNSET
    sender: Party = MessageRole.UNSET
    recipient: Party = MessageRole.UNSET
    template: str | None = None
    flag: MessageFlag | None = None

    @field_validator("content", mode="before")
    @classmethod
    def _plain_content(cls, value: Any) -> Any:
        return to_portable(value, what="The content of a message")

    @field_validator("role", mode="before")
    @classmethod
    def _some_role(cls, value: Any) -> Any:
        return MessageRole.UNSET if value is None else value

    @property
    def rendered(self) -> str | list[dict[str, Any]]:
        """The message as a chat model reads it: text, or the parts of text and images."""
        return self.text

    @property
    def text(self) -> str:
        """The message as text: its template filled in, else what its kind makes of the content."""
        if self.template is not None:
            try:
                return _PlainFormatter().vformat(self.template, (), self.content)
            except (LookupError, ValueError):
                return json_text(self.content)
        return self._text()

    @classmethod
    def text_of(cls, content: dict[str, Any]) -> str:
        """Return the text that a message of this kind has whose content is this, and which has no template."""
        bare = cls.__new__(cls)
        _set(bare, "__dict__", {"content": content})
        return bare._text()

    def _text(self) -> str:
        """What the kind makes of the content, and of nothing else."""
        return json_text(self.content)

    @property
    def chat_msg(self) -> dict[str, Any]:
        """The message as `{"role": …, "content": …}`."""
        return {"role": self.role.value, "content": self.rendered}

    @property
    def image_content(self) -> list[dict[str, Any]] | None:
        """The image parts of the message, or None when it has none."""
        rendered = self.rendered
        if isinstance(rendered, str):
            return None
        return [part for part in rendered if part.get("type") == "image_url"] or None

    def update(self, sender: Any = None, recipient: Any = None, template: str | None = None, **content: Any) -> None:
        """Change what is given, and tell the watchers once; None leaves sender, recipient or template."""
        self._change(content, sender=sender, recipient=recipient, template=template)

    def become(self, other: Self, /) -> bool:
        """Take over the content of another message of this kind; id and time stay.

        The watchers are told once, and only if that makes a difference, which is what is returned.
        """
        if type(other) is not type(self):
            raise ConfigError(f"A {type(self).__name__} cannot become a {type(other).__name__}.")
        fields = {name: getattr(other, name) for name in _ASSIGNABLE}
        changed = any(getattr(self, name) != value for name, value in fields.items())
        if changed:
            self._assign(fields)
        return changed

    def is_clone(self) -> bool:
        """Return whether the message is a copy of another, which `metadata["clone_from"]` describes."""
        return self.flag is MessageFlag.MESSAGE_CLONE or "clone_from" in self.metadata

    def is_loaded(self) -> bool:
        """Return whether the message was read from a dict by `from_dict`."""
        return self.flag is MessageFlag.MESSAGE_LOAD

    def clone(
        self,
        sender: Any = None,
        recipient: Any = None,
        keep_role: bool = True,
        id: Any = None,
        created_at: Any = None,
    ) -> Self:
        """Return a copy with a new id, flagged as a clone; nothing that may change is shared.

        Sender and recipient are UNSET unless given. `metadata["clone_from"]` has the original's `original_id
        created_at sender recipient lion_class role`.
        """
        metadata = {key: value for key, value in self.metadata.items() if key != "clone_from"}
        identity: dict[str, Any] = {"id": id, "created_at": created_at}
        fields = {
            **{name: value for name, value in identity.items() if value is not None},
            "content": self.content,
            "metadata": {**deepcopy(metadata), "clone_from": self._origin()},
            "role": self.role if keep_role else MessageRole.UNSET,
            "sender": sender,
            "recipient": recipient,
            "template": self.template,
            "embedding": None if self.embedding is None else self.embedding.copy(),
            "flag": MessageFlag.MESSAGE_CLONE,
        }
        if type(id) is IDType and type(created_at) is float and self.is_built_in():
            # A copy of what is valid is valid; asking pydantic again would take most of the time of a long split.
            parties = {"sender": validate_sender_recipient(sender), "recipient": validate_sender_recipient(recipient)}
            return type(self)._made_of_valid({**fields, **parties, "content": to_portable(self.content)})
        return type(self)._made_of(fields)

    def holds_more(self) -> bool:
        """Return whether there is more to the message than its fields."""
        return False

    @classmethod
    def is_built_in(cls) -> bool:
        """Return whether this kind of message is one of this package, which has no fields but those of all messages."""
        return cls.__module__.startswith("lion_broker.messages.")

    @classmethod
    def _made_of_valid(cls, fields: dict[str, Any]) -> Self:
        message = super()._made_of_valid(fields)
        _set(message, "_watchers", ())
        return message

    def to_log(self) -> Log:
        """Return a Log of the message as it is now."""
        return Log.create(self)

    def observe(self, callback: Callable[[Any], None] | None, /) -> None:
        """Call `callback(message)` after every change in place; None forgets all callbacks.

        What a callback raises undoes the change, of which those that were called before hear as well.
        """
        watchers = getattr(self, "_watchers", ())
        if callback is None:
            _set(self, "_watchers", ())
        elif callback not in watchers:
            _set(self, "_watchers", (*watchers, callback))

    def unobserve(self, callback: Callable[[Any], None], /) -> None:
        """Forget one callback; an unknown one is ignored."""
        _set(self, "_watchers", tuple(known for known in getattr(self, "_watchers", ()) if known != callback))

    def to_dict(self) -> dict[str, Any]:
        """Return the message as plain JSON values; `template embedding flag` only when they are set."""
        values = {
            "id": self.id,
            "created_at": self.created_at,
            "metadata": self.metadata,
            "role": self.role,
            "content": self.content,
            "sender": self.sender,
            "recipient": self.recipient,
        }
        for name in ("template", "embedding", "flag"):
            if (value := getattr(self, name)) is not None:
                values[name] = value
        return self._plain(values)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], /, loaded: bool = True) -> Self:
        """Return the message that `to_dict` wrote, of the kind that it names.

        It is flagged as loaded; with `loaded=False` it has the flag that was written. Raises
        ItemNotFoundError for an unknown kind, ValueError for values that do not fit.
        """
        return super().from_dict({**values, "flag": MessageFlag.MESSAGE_LOAD} if loaded else values)

    @classmethod
    def _revive(cls, values: dict[str, Any]) -> Self:
        # Unlike that of other nodes, content is never an element.
        return cls._made_of(values)

    # Hidden from the type checker, which would allow assigning to any name.
    if not TYPE_CHECKING:

        def __setattr__(self, name: str, value: Any) -> None:
            if name in _ASSIGNABLE:
                self._assign({name: value})
            else:
                super().__setattr__(name, value)

    def _change(self, content: Mapping[str, Any], **fields: Any) -> None:
        """Assign the fields that are not None and merge the content, as one change if there is any."""
        fields = {name: value for name, value in fields.items() if value is not None}
        if content:
            fields["content"] = {**self.content, **content}
        if fields:
            self._assign(fields)

    def _assign(self, fields: dict[str, Any]) -> None:
        """Set all of the fields, or none when one of them is not valid, and tell the watchers."""
        checked = type(self)._made_of(fields)
        before = {name: self.__dict__[name] for name in fields}
        self.__dict__.update({name: getattr(checked, name) for name in fields})
        told: list[Callable[[Any], None]] = []
        try:
            for callback in getattr(self, "_watchers", ()):
                callback(self)
                told.append(callback)
        except Exception:
            self.__dict__.update(before)
            for callback in told:
                callback(self)
            raise

    def _origin(self) -> dict[str, Any]:
        return {
            "original_id": str(self.id),
            "created_at": self.created_at,
            "sender": str(self.sender),
            "recipient": str(self.recipient),
            "lion_class": type(self).__name__,
            "role": self.role.value,
        }

    def __str__(self) -> str:
        return f"{self.role}: {_shortened(self.text)}"

    def __repr__(self) -> str:
        text = _shortened(self.text)
        return f"{type(self).__name__}(role={self.role}, sender={self.sender}, content={text!r})"


class _PlainFormatter(Formatter):
    """Fills in names only: a template that came by mail must not reach into objects or ask for widths."""

    def get_field(self, field_name: str, args: Any, kwargs: Any) -> Any:
        return kwargs[field_name], field_name

    def format_field(self, value: Any, format_spec: str) -> str:
        if format_spec:
            raise ValueError("Templates take names only, and no format specifications.")
        return value if isinstance(value, str) else json_text(value)


def json_text(value: Any) -> str:
    """Return plain JSON values as text for a model or a person."""
    return json.dumps(value, ensure_ascii=False)


def _shortened(text: str) -> str:
    return text if len(text) <= 75 else text[:75] + "…"
