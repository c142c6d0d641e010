"""A conversation in OpenAI's form as Anthropic's protocol wants it: pure functions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import unquote

from lion_broker.models.endpoint import ChatMessage

__all__ = ["conversation", "tool_choice", "tools"]

_OPENING: Final = "(The conversation begins with your own message.)"
_CHOICES: Final = {"auto": "auto", "required": "any", "none": "none"}

Block = dict[str, Any]


def conversation(messages: Sequence[ChatMessage]) -> tuple[str, list[dict[str, Any]]]:
    """Return the system text, and the turns of user and assistant.

    System messages are lifted out wherever they stand; neighbours of one role become one message, and a conversation
    that does not begin with the user gets an opening. Calls of tools become `tool_use`, results of tools `tool_result`
    blocks at the beginning of the user's next message.
    """
    system: list[str] = []
    turns: list[tuple[str, list[Block]]] = []
    for message in messages:
        role = message.get("role")
        if role in ("system", "developer"):
            system += [block["text"] for block in _blocks(message.get("content")) if block["type"] == "text"]
            continue
        speaker, blocks = _turn(str(role), message)
        if blocks and turns and turns[-1][0] == speaker:
            turns[-1][1].extend(blocks)
        elif blocks:
            turns.append((speaker, blocks))
    if turns and turns[0][0] != "user":
        turns.insert(0, ("user", [{"type": "text", "text": _OPENING}]))
    return "\n\n".join(system), [{"role": role, "content": _in_order(role, blocks)} for role, blocks in turns]


def tools(given: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return tools in this protocol's form; those that have it already stay as they are."""
    return [_tool(tool["function"]) if "function" in tool else dict(tool) for tool in given]


def tool_choice(choice: Any, parallel: bool | None) -> dict[str, Any] | None:
    """Return whether and which tools are to be called; None when nothing is said about it."""
    made: dict[str, Any] | None = None
    if isinstance(choice, str):
        made = {"type": _CHOICES.get(choice, choice)}
    elif isinstance(choice, Mapping):
        named = choice.get("function")
        made = {"type": "tool", "name": named["name"]} if named else dict(choice)
    if parallel is False and (made or {}).get("type") != "none":
        return {"type": "auto", **(made or {}), "disable_parallel_tool_use": True}
    return made


def _tool(function: Mapping[str, Any]) -> dict[str, Any]:
    tool = {"name": function["name"], "input_schema": function.get("parameters") or {"type": "object"}}
    return {**tool, "description": function["description"]} if function.get("description") else tool


def _turn(role: str, message: ChatMessage) -> tuple[str, list[Block]]:
    content = message.get("content")
    if role in ("tool", "function"):
        result: Block = {"type": "tool_result", "tool_use_id": message.get("tool_call_id") or ""}
        if blocks := _blocks(content):
            result["content"] = content if isinstance(content, str) else blocks
        return "user", [result]
    if role == "assistant":
        return role, [*_blocks(content), *(_use(call) for call in message.get("tool_calls") or ())]
    return "user", _blocks(content)


def _blocks(content: Any) -> list[Block]:
    """Return content as blocks; empty texts, which this protocol refuses, are left out."""
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else (content or ())
    blocks = [_image(part) if part.get("type") == "image_url" else dict(part) for part in parts]
    return [block for block in blocks if block.get("type") != "text" or str(block.get("text") or "").strip()]


def _image(part: Mapping[str, Any]) -> Block:
    image = part["image_url"]
    url = str(image if isinstance(image, str) else image["url"])
    if not url.startswith("data:"):
        return {"type": "image", "source": {"type": "url", "url": url}}
    kind, _, value = url.removeprefix("data:").partition(",")
    media_type = kind.partition(";")[0] or "image/jpeg"
    return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": unquote(value)}}


def _use(call: Mapping[str, Any]) -> Block:
    """Return a call as a block; arguments that are no JSON object, which a model can write, become the text in one."""
    function = call["function"]
    text = function.get("arguments") or "{}"
    try:
        given = json.loads(text) if isinstance(text, str) else text
    except ValueError:
        given = None
    if not isinstance(given, Mapping):
        given = {"arguments": text}
    return {"type": "tool_use", "id": call["id"], "name": function["name"], "input": dict(given)}


def _in_order(role: str, blocks: list[Block]) -> list[Block]:
    """Return blocks with the results of tools first, and without the space at the end that is refused of assistants."""
    ordered = sorted(blocks, key=lambda block: block["type"] != "tool_result")
    if role == "assistant" and ordered[-1]["type"] == "text":
        ordered[-1] = {**ordered[-1], "text": ordered[-1]["text"].rstrip()}
    return ordered
