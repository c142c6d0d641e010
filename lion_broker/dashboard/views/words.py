"""What mails and messages say, in words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from lion_broker.core.portable import readable

__all__ = ["as_text", "content_words", "rest_of", "text_of", "with_words", "words_of"]

_WORDS: Final = ("instruction", "assistant_response", "system_message", "text")


def text_of(body: Any) -> str:
    """What a mail's body says: a message's words, a text, or its JSON."""
    words = words_of(body)
    if words is not None:
        return words
    item = body.get("item", body) if isinstance(body, dict) else body
    return item if isinstance(item, str) else as_text(item)


def words_of(body: Any) -> str | None:
    """The words of a message mail's body, where there are any."""
    item = body.get("item") if isinstance(body, dict) else None
    if isinstance(item, str):
        return item
    content = item.get("content") if isinstance(item, dict) else None
    return content_words(content) if isinstance(content, dict) else None


def with_words(body: Any, words: str) -> Any:
    """The item of a message mail's body with other words; None where it has none that could be changed."""
    item = body.get("item") if isinstance(body, dict) else None
    if isinstance(item, str):
        return words
    content = item.get("content") if isinstance(item, dict) else None
    if not isinstance(item, dict) or not isinstance(content, dict):
        return None
    name = next((name for name in _WORDS if isinstance(content.get(name), str)), None)
    if name is None:
        return None
    return {**item, "content": {**content, name: words}, "metadata": dict(item.get("metadata") or {})}


def content_words(content: Mapping[str, Any]) -> str | None:
    """The words of a message's content, where there are any."""
    for name in _WORDS:
        if isinstance(words := content.get(name), str):
            return words
    request = content.get("action_request")
    if isinstance(request, dict):
        return f"{request.get('function')}({_arguments(request.get('arguments'))})"
    response = content.get("action_response")
    if isinstance(response, dict):
        output = response.get("output")
        return f"{response.get('function')} → {output if isinstance(output, str) else as_text(output)}"
    return None


def rest_of(content: Mapping[str, Any]) -> str:
    """What a message's content holds beside its words, as indented JSON; empty for nothing."""
    shown = {*_WORDS, "action_request", "action_response", "action_request_id"}
    rest = {name: value for name, value in content.items() if name not in shown and value not in (None, [], {}, "")}
    return as_text(rest, indent=2) if rest else ""


def as_text(value: Any, indent: int | None = None) -> str:
    """A value as JSON that people read."""
    return readable(json.dumps(value, ensure_ascii=False, indent=indent, default=str))


def _arguments(arguments: Any) -> str:
    if not isinstance(arguments, dict):
        return as_text(arguments)
    return ", ".join(f"{name}={as_text(value)}" for name, value in arguments.items())
