"""Instruction: what a model is asked to do."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeAlias

from pydantic import BaseModel, PydanticUserError, TypeAdapter

from lion_broker.core.portable import to_portable
from lion_broker.errors import ConfigError
from lion_broker.messages.base import MessageRole, RoledMessage
from lion_broker.messages.instruction_text import image_part, instruction_text

__all__ = ["ImageDetail", "Instruction"]

ImageDetail: TypeAlias = Literal["low", "high", "auto"]

# An enumeration takes two calls to say what the value of a member is.
_USER: Final = MessageRole.USER.value
_UNSET: Final = MessageRole.UNSET.value


def content_of(text: str) -> dict[str, Any]:
    """Return the content of an Instruction that is nothing but a text."""
    return {"context": [], "instruction": text}


class Instruction(RoledMessage):
    """A task for a model, with guidance, context, images, tools and the form of the answer.

    `content` has, when given: `instruction guidance context images image_detail tool_schemas
    respond_schema_info request_fields plain_content`; `context` is always there. The class that an answer is
    to become is kept beside it as `response_format`; what is written down of it is its JSON schema.
    """

    __slots__ = ("_response_format",)

    if TYPE_CHECKING:
        _response_format: Any

    role: MessageRole = MessageRole.USER

    @classmethod
    def create(
        cls,
        instruction: Any = None,
        *,
        context: Any = None,
        guidance: Any = None,
        images: str | Sequence[str] | None = None,
        sender: Any = None,
        recipient: Any = None,
        request_fields: Mapping[str, Any] | Sequence[str] | None = None,
        plain_content: str | None = None,
        image_detail: ImageDetail | None = None,
        request_model: Any = None,
        response_format: Any = None,
        tool_schemas: Any = None,
        template: str | None = None,
    ) -> Self:
        """Return an instruction.

        `context`: one JSON value or a list of them. `images`: URLs, data URLs or base64 JPEGs.
        `response_format` (or `request_model`): a pydantic model, another type, or a JSON schema.
        `request_fields`: names, or names with descriptions; not together with a model.
        `plain_content`: the whole text, instead of all the rest.
        """
        message = cls._made_of({"content": {"context": _listed(context)}, "sender": sender, "recipient": recipient})
        message.update(
            template=template,
            instruction=instruction,
            guidance=guidance,
            images=images,
            request_fields=request_fields,
            plain_content=plain_content,
            image_detail=image_detail,
            request_model=request_model,
            response_format=response_format,
            tool_schemas=tool_schemas,
        )
        return message

    @classmethod
    def dict_of(cls, text: str, id: str, created_at: float) -> dict[str, Any]:
        """Return what `create(text).to_dict()` does, of a message with this id and time; ten times as fast."""
        return {
            "id": str(id),
            "created_at": created_at,
            "metadata": {"lion_class": cls.__name__},
            "role": _USER,
            "content": content_of(text),
            "sender": _UNSET,
            "recipient": _UNSET,
        }

    def update(
        self,
        sender: Any = None,
        recipient: Any = None,
        template: str | None = None,
        instruction: Any = None,
        guidance: Any = None,
        context: Any = None,
        images: str | Sequence[str] | None = None,
        image_detail: ImageDetail | None = None,
        request_fields: Mapping[str, Any] | Sequence[str] | None = None,
        plain_content: str | None = None,
        request_model: Any = None,
        response_format: Any = None,
        tool_schemas: Any = None,
        **content: Any,
    ) -> None:
        """Change what is given, and tell the watchers once; `context` is appended to what is there.

        ValueError when the form of the answer is given in more than one way.
        """
        forms = [form for form in (request_fields, request_model, response_format) if form is not None]
        if len(forms) > 1:
            raise ConfigError("Give only one of request_fields, request_model and response_format.")
        changes = {
            **content,
            "instruction": instruction,
            "guidance": guidance,
            "plain_content": plain_content,
            "image_detail": image_detail,
            "images": None if images is None else _listed(images),
            "tool_schemas": None if tool_schemas is None else _listed(tool_schemas),
            "context": None if context is None else [*self.context, *_listed(context)],
            "request_fields": None if request_fields is None else _described(request_fields),
        }
        model = request_model if response_format is None else response_format
        if model is not None:
            changes["respond_schema_info"] = _schema(model)
        self._change(
            {key: value for key, value in changes.items() if value is not None},
            sender=sender,
            recipient=recipient,
            template=template,
        )
        if model is not None:
            self._response_format = None if isinstance(model, Mapping) else model

    @property
    def instruction(self) -> Any:
        """What to do."""
        return self.content.get("instruction")

    @instruction.setter
    def instruction(self, value: Any) -> None:
        self._set("instruction", value)

    @property
    def guidance(self) -> Any:
        """How to do it."""
        return self.content.get("guidance")

    @guidance.setter
    def guidance(self, value: Any) -> None:
        self._set("guidance", value)

    @property
    def context(self) -> list[Any]:
        """What to know for it."""
        return list(self.content.get("context", ()))

    @context.setter
    def context(self, value: Any) -> None:
        self._set("context", _listed(value))

    @property
    def images(self) -> list[str]:
        """What to look at: URLs, data URLs or base64 JPEGs."""
        return list(self.content.get("images", ()))

    @images.setter
    def images(self, value: str | Sequence[str] | None) -> None:
        self._set("images", _listed(value))

    @property
    def image_detail(self) -> ImageDetail:
        """How closely to look."""
        detail: ImageDetail = self.content.get("image_detail", "low")
        return detail

    @image_detail.setter
    def image_detail(self, value: ImageDetail) -> None:
        self._set("image_detail", value)

    @property
    def tool_schemas(self) -> list[Any]:
        """The tools to do it with, as their schemas."""
        return list(self.content.get("tool_schemas", ()))

    @tool_schemas.setter
    def tool_schemas(self, value: Any) -> None:
        self._set("tool_schemas", None if value is None else _listed(value))

    @property
    def plain_content(self) -> str | None:
        """The whole text, when it was given as such."""
        return self.content.get("plain_content")

    @plain_content.setter
    def plain_content(self, value: str | None) -> None:
        self._set("plain_content", value)

    @property
    def request_fields(self) -> dict[str, Any] | None:
        """The fields that the answer shall have, with descriptions."""
        return self.content.get("request_fields")

    @request_fields.setter
    def request_fields(self, value: Mapping[str, Any] | Sequence[str] | None) -> None:
        self._set("request_fields", None if value is None else _described(value))

    @property
    def respond_schema_info(self) -> dict[str, Any] | None:
        """The JSON schema that the answer shall fit."""
        return self.content.get("respond_schema_info")

    @property
    def response_format(self) -> Any:
        """The class that the answer shall become; None when only its schema is known, or nothing."""
        # A message that does not say which form it wants asks for none, whatever class it was made with.
        return getattr(self, "_response_format", None) if "respond_schema_info" in self.content else None

    @response_format.setter
    def response_format(self, value: Any) -> None:
        if value is None:
            self._response_format = None
            self._set("respond_schema_info", None)
        else:
            self.update(response_format=value)

    @property
    def request_model(self) -> Any:
        """Another name of `response_format`."""
        return self.response_format

    def extend_images(self, images: str | Sequence[str], image_detail: ImageDetail | None = None) -> None:
        """Append images, and set how closely to look when that is given."""
        self.update(images=[*self.images, *_listed(images)], image_detail=image_detail)

    def extend_context(self, *values: Any, **named: Any) -> None:
        """Append values to the context, and each named value as a dict of its own."""
        self.update(context=[*values, *({key: value} for key, value in named.items())])

    def clone(
        self,
        sender: Any = None,
        recipient: Any = None,
        keep_role: bool = True,
        id: Any = None,
        created_at: Any = None,
    ) -> Self:
        """Return a copy as every message does; the class of the answer goes with it."""
        clone = super().clone(sender, recipient, keep_role, id, created_at)
        if self.response_format is not None:
            clone._response_format = self.response_format
        return clone

    def holds_more(self) -> bool:
        """Return whether there is more to the message than its fields: the class that the answer shall become."""
        return "respond_schema_info" in self.content

    @property
    def rendered(self) -> str | list[dict[str, Any]]:
        """The instruction as text; with images, the list of parts that chat models take."""
        if not self.images:
            return self.text
        parts = [image_part(image, self.image_detail) for image in self.images]
        return [{"type": "text", "text": self.text}, *parts]

    def _text(self) -> str:
        plain = self.plain_content
        return instruction_text(self.content) if plain is None else plain

    def _set(self, key: str, value: Any) -> None:
        """Put one value into the content, or take it out when it is None."""
        kept = {name: old for name, old in self.content.items() if name != key}
        self.content = kept if value is None else {**kept, key: value}


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple | set) else [value]


def _described(fields: Mapping[str, Any] | Sequence[str]) -> dict[str, Any]:
    """Return the asked fields with their descriptions; a type stands for its name."""
    if isinstance(fields, str):
        fields = [fields]
    if not isinstance(fields, Mapping):
        return dict.fromkeys(fields, "...")
    described: dict[str, Any] = to_portable(fields, fallback=lambda kind: getattr(kind, "__name__", str(kind)))
    return described


def _schema(model: Any) -> dict[str, Any]:
    if isinstance(model, Mapping):
        return dict(model)
    if isinstance(model, BaseModel):
        model = type(model)
    try:
        return TypeAdapter(model).json_schema()
    except PydanticUserError as error:
        raise ConfigError(f"{model!r:.80} is no form of an answer, for it has no JSON schema.") from error
