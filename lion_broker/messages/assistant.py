"""AssistantResponse: what a model said."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel

from lion_broker.core.portable import to_portable
from lion_broker.messages.base import MessageRole, Party, RoledMessage

__all__ = ["AssistantResponse"]


class AssistantResponse(RoledMessage):
    """The answer of a model; the raw answer, when there was more than text, is kept in the metadata."""

    role: MessageRole = MessageRole.ASSISTANT
    sender: Party = MessageRole.ASSISTANT
    recipient: Party = MessageRole.USER

    @classmethod
    def create(
        cls,
        assistant_response: Any = None,
        sender: Any = None,
        recipient: Any = None,
        template: str | None = None,
        **content: Any,
    ) -> Self:
        """Return the message for an answer.

        `assistant_response`: text, a chat message or completion (dict or pydantic model), or a list of the
        chunks of a stream, which are joined; an empty answer is the empty text.
        """
        return cls._made_of(
            {
                "content": {**content, "assistant_response": _answer_text(assistant_response)},
                "metadata": _raw(assistant_response),
                "sender": MessageRole.ASSISTANT if sender is None else sender,
                "recipient": MessageRole.USER if recipient is None else recipient,
                "template": template,
            }
        )

    @property
    def response(self) -> str:
        """The text of the answer."""
        return str(self.content.get("assistant_response", ""))

    @response.setter
    def response(self, value: Any) -> None:
        self.update(assistant_response=value)

    @property
    def model_response(self) -> Any:
        """The raw answer: a dict, or a list of chunks; an empty dict when the answer was plain text."""
        return self.metadata.get("model_response", {})

    def update(
        self,
        sender: Any = None,
        recipient: Any = None,
        template: str | None = None,
        assistant_response: Any = None,
        **content: Any,
    ) -> None:
        """Change what is given, and tell the watchers once; None leaves the answer as it is."""
        fields: dict[str, Any] = {"sender": sender, "recipient": recipient, "template": template}
        if assistant_response is not None:
            content["assistant_response"] = _answer_text(assistant_response)
            kept = {key: value for key, value in self.metadata.items() if key != "model_response"}
            fields["metadata"] = kept | _raw(assistant_response)
        self._change(content, **fields)

    def _text(self) -> str:
        return self.response


def _raw(answer: Any) -> dict[str, Any]:
    return {} if not answer or isinstance(answer, str) else {"model_response": to_portable(answer)}


def _answer_text(answer: Any) -> str:
    """Return the text in an answer, in any of the shapes that model services use."""
    if isinstance(answer, str):
        return answer
    if isinstance(answer, BaseModel):
        return _answer_text(answer.model_dump(mode="json"))
    if isinstance(answer, Mapping):
        return _answer_text(_inner(answer))
    if isinstance(answer, list | tuple):
        return "".join(map(_answer_text, answer))
    return "" if answer is None else str(answer)


def _inner(answer: Mapping[str, Any]) -> Any:
    """Take one layer off: a completion has choices, these a message or delta, these content, a part text."""
    for key in ("choices", "message", "delta", "content", "text"):
        if key in answer:
            return answer[key][:1] if key == "choices" else answer[key]
    return None
