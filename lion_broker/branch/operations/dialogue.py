"""A conversation in the form that chat endpoints take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from lion_broker.messages import (
    ActionRequest,
    ActionResponse,
    AssistantResponse,
    Instruction,
    MessageRole,
    RoledMessage,
)
from lion_broker.messages.base import json_text
from lion_broker.messages.instruction_text import instruction_text

__all__ = ["dialogue"]

_ASIDES = ("tool_schemas", "respond_schema_info", "request_fields")

ChatMessage = dict[str, Any]


def dialogue(messages: Sequence[RoledMessage], asked: Instruction | None = None) -> list[ChatMessage]:
    """Return chat messages for what was said, and for what is asked now.

    Calls of tools and their results take the form that endpoints insist on: the calls of one answer in one assistant
    message, each followed by its result. Earlier instructions come without tools and forms of answers: those have been
    answered.
    """
    results = {one.action_request_id: one for one in messages if isinstance(one, ActionResponse)}
    said = list(_turns(messages, results))
    return [*said, *([asked.chat_msg] if asked is not None else [])]


def _turns(messages: Iterable[RoledMessage], results: dict[Any, ActionResponse]) -> Iterator[ChatMessage]:
    calls: list[ActionRequest] = []
    opening: AssistantResponse | None = None
    shown: set[Any] = set()
    for message in messages:
        if isinstance(message, ActionRequest):
            calls.append(message)
            continue
        if isinstance(message, ActionResponse) and message.action_request_id in {*shown, *(call.id for call in calls)}:
            continue
        yield from _round(opening, calls, results)
        shown.update(call.id for call in calls)
        opening, calls = None, []
        if isinstance(message, AssistantResponse):
            opening = message
        elif isinstance(message, ActionResponse):
            yield {"role": "user", "content": f"Result of a call: {message.text}"}
        else:
            yield _plain(message)
    yield from _round(opening, calls, results)


def _round(
    opening: AssistantResponse | None, calls: Sequence[ActionRequest], results: dict[Any, ActionResponse]
) -> Iterator[ChatMessage]:
    """An answer with the calls it made, then what came of them; an endpoint refuses calls without results."""
    text = opening.text if opening is not None else ""
    if not calls:
        if opening is not None:
            yield {"role": "assistant", "content": text}
        return
    yield {"role": "assistant", "content": text or None, "tool_calls": [_call(call) for call in calls]}
    for call in calls:
        result = results.get(call.id)
        content = "The call was not made." if result is None else _shown(result.output)
        yield {"role": "tool", "tool_call_id": str(call.id), "content": content}


def _call(request: ActionRequest) -> dict[str, Any]:
    function = {"name": request.function, "arguments": json_text(request.arguments)}
    return {"id": str(request.id), "type": "function", "function": function}


def _plain(message: RoledMessage) -> ChatMessage:
    if message.role is MessageRole.UNSET:
        return {"role": "user", "content": message.rendered}
    if not isinstance(message, Instruction) or message.plain_content is not None or message.template is not None:
        return message.chat_msg
    content = {key: value for key, value in message.content.items() if key not in _ASIDES}
    if message.images or content == message.content:
        return message.chat_msg
    return {"role": message.role.value, "content": instruction_text(content)}


def _shown(output: Any) -> str:
    return output if isinstance(output, str) else json_text(output)
