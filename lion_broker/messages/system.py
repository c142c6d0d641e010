"""System: what a branch is told before anything else."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Self

from lion_broker.errors import ConfigError
from lion_broker.messages.base import MessageRole, Party, RoledMessage, json_text

__all__ = ["DEFAULT_SYSTEM", "System"]

DEFAULT_SYSTEM = "You are a helpful assistant. Think before you answer, and say so when you do not know."


class System(RoledMessage):
    """The message that sets the stage; a branch has at most one, at the head of what a model reads."""

    role: MessageRole = MessageRole.SYSTEM
    sender: Party = MessageRole.SYSTEM
    recipient: Party = MessageRole.ASSISTANT

    @classmethod
    def create(
        cls,
        system_message: Any = None,
        system_datetime: bool | str | None = None,
        sender: Any = None,
        recipient: Any = None,
        template: str | None = None,
        system: Any = None,
        **content: Any,
    ) -> Self:
        """Return a system message; `system` is another name of `system_message`.

        `system_message`: text, a chat message `{"role": …, "content": …}` of which the content counts, or any
        JSON value; a default text when left out. `system_datetime`: True for the time now, in UTC and to the
        minute, or a text of your own. Further keywords join the content, for the template.
        """
        if system_message is not None and system is not None:
            raise ConfigError("Give the system message as system_message or as system, not both.")
        given = system if system_message is None else system_message
        message = DEFAULT_SYSTEM if given is None else _unwrapped(given)
        return cls._made_of(
            {
                "content": {**content, "system_message": message, **_dated(system_datetime)},
                "sender": MessageRole.SYSTEM if sender is None else sender,
                "recipient": MessageRole.ASSISTANT if recipient is None else recipient,
                "template": template,
            }
        )

    @property
    def system_message(self) -> str:
        """What the branch is told, without the time."""
        message = self.content.get("system_message", "")
        return message if isinstance(message, str) else json_text(message)

    @property
    def system_datetime(self) -> str | None:
        """The time that the branch is told, as text."""
        return self.content.get("system_datetime")

    def update(
        self,
        sender: Any = None,
        recipient: Any = None,
        template: str | None = None,
        system_message: Any = None,
        system_datetime: bool | str | None = None,
        **content: Any,
    ) -> None:
        """Change what is given, and tell the watchers once; `system_datetime=False` takes the time out."""
        if system_message is not None:
            content["system_message"] = _unwrapped(system_message)
        if system_datetime is False:
            content["system_datetime"] = None
        super().update(sender, recipient, template, **content, **_dated(system_datetime))

    def _text(self) -> str:
        told = self.system_datetime
        return f"Date and time: {told}\n\n{self.system_message}" if told else self.system_message


def _unwrapped(message: Any) -> Any:
    if isinstance(message, System):
        return message.system_message
    if isinstance(message, Mapping) and "content" in message:
        return message["content"]
    return message


def _dated(when: bool | str | None) -> dict[str, str]:
    if not when:
        return {}
    return {"system_datetime": when if isinstance(when, str) else f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"}
