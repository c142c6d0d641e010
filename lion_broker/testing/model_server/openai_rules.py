"""What OpenAI's API insists on, in its own words. Servers that are compatible with it accept more, seldom less."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from .answer import Answer
from .request import Received

__all__ = ["RULES", "Rule", "bad", "has_model"]

Rule = Callable[[Received], Answer | None]

_ROLES = ("system", "assistant", "user", "function", "tool", "developer")
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_NEEDS = {"tool_choice": "tools", "parallel_tool_calls": "tools", "stream_options": "stream"}


def bad(text: str, **error: Any) -> Answer:
    """Return the error for a request that is no good."""
    return Answer(text, status=400, error=error)


def has_model(request: Received) -> Answer | None:
    """A model is named."""
    return None if request.body.get("model") else bad("you must provide a model parameter")


def _has_messages(request: Received) -> Answer | None:
    if not request.messages:
        return bad("Invalid 'messages': empty array. Expected an array with minimum length 1.", param="messages")
    for place, message in enumerate(request.messages):
        if message["role"] not in _ROLES:
            supported = ", ".join(f"'{role}'" for role in _ROLES)
            return bad(
                f"Invalid value: '{message['role']}'. Supported values are: {supported}.",
                param=f"messages[{place}].role",
            )
        if message.get("content") is None and not message.get("tool_calls"):
            return bad("Invalid value for 'content': expected a string, got null.", param=f"messages.[{place}].content")
    return None


def _answers_every_call(request: Received) -> Answer | None:
    """Every call of a tool is followed by its result, and every result follows its call."""
    open_calls: list[str] = []
    for place, message in enumerate(request.messages):
        if message["role"] == "tool":
            if message.get("tool_call_id") not in open_calls:
                return bad(
                    "Invalid parameter: messages with role 'tool' must be a response to a preceding message with"
                    " 'tool_calls'.",
                    param=f"messages.[{place}].role",
                )
            open_calls.remove(message["tool_call_id"])
            continue
        if open_calls:
            return _unanswered(open_calls)
        open_calls = [call["id"] for call in message.get("tool_calls") or ()]
    return _unanswered(open_calls) if open_calls else None


def _unanswered(calls: Sequence[str]) -> Answer:
    return bad(
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'."
        f" The following tool_call_ids did not have response messages: {', '.join(calls)}"
    )


def _has_what_belongs_together(request: Received) -> Answer | None:
    for name, needed in _NEEDS.items():
        if request.body.get(name) is not None and not request.body.get(needed):
            when = "'tools' are specified" if needed == "tools" else "'stream' is enabled"
            return bad(f"Invalid value for '{name}': '{name}' is only allowed when {when}.", param=name)
    return None


def _has_usable_tools(request: Received) -> Answer | None:
    for place, tool in enumerate(request.body.get("tools") or ()):
        function, where = tool["function"], f"tools[{place}].function"
        if not _NAME.fullmatch(function["name"]):
            return bad(
                f"Invalid '{where}.name': string does not match pattern. Expected a string that matches the pattern"
                " '^[a-zA-Z0-9_-]+$'.",
                param=f"{where}.name",
                code="invalid_value",
            )
        wrong = next(_looseness(function.get("parameters") or {}, ()), None) if function.get("strict") else None
        if wrong:
            return bad(f"Invalid schema for function '{function['name']}': {wrong}", param=f"{where}.parameters")
    return None


def _asks_for_json_rightly(request: Received) -> Answer | None:
    asked = request.body.get("response_format") or {"type": "text"}
    if asked["type"] == "json_object" and "json" not in json.dumps(request.messages).lower():
        return bad(
            "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
            param="messages",
        )
    if asked["type"] != "json_schema":
        return None
    named = asked.get("json_schema")
    if not named or not _NAME.fullmatch(named["name"]):
        return bad("Missing required parameter: 'response_format.json_schema.name'.", param="response_format")
    wrong = next(_looseness(named["schema"], ()), None) if named.get("strict") else None
    if wrong:
        return bad(f"Invalid schema for response_format '{named['name']}': {wrong}", param="response_format")
    return None


def _looseness(schema: Any, context: tuple[str, ...]) -> Iterator[str]:
    """Yield where a schema is not as closed as `strict` demands: all properties required, and no others allowed."""
    if isinstance(schema, list):
        for place, part in enumerate(schema):
            yield from _looseness(part, (*context, str(place)))
    if not isinstance(schema, Mapping):
        return
    if schema.get("type") == "object" or "properties" in schema:
        if schema.get("additionalProperties") is not False:
            yield f"In context={context}, 'additionalProperties' is required to be supplied and to be false."
        if missing := set(schema.get("properties") or ()) - set(schema.get("required") or ()):
            yield (
                f"In context={context}, 'required' is required to be supplied and to be an array including every key in"
                f" properties. Missing '{min(missing)}'."
            )
    for name in ("items", "anyOf", "allOf", "prefixItems"):
        yield from _looseness(schema.get(name), (*context, name))
    for name in ("properties", "$defs", "definitions"):
        for key, part in (schema.get(name) or {}).items():
            yield from _looseness(part, (*context, name, key))


RULES: tuple[Rule, ...] = (
    has_model,
    _has_messages,
    _answers_every_call,
    _has_what_belongs_together,
    _has_usable_tools,
    _asks_for_json_rightly,
)
