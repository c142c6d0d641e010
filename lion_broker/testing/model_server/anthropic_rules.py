"""What Anthropic's API insists on, in its own words."""

from __future__ import annotations

from .answer import Answer
from .openai_rules import Rule, bad, has_model
from .request import Received

__all__ = ["RULES"]


def _names_its_version(request: Received) -> Answer | None:
    return None if "anthropic-version" in request.headers else bad("anthropic-version: header is required")


def _limits_its_tokens(request: Received) -> Answer | None:
    return None if request.body.get("max_tokens") else bad("max_tokens: Field required")


def _has_plain_roles(request: Received) -> Answer | None:
    if not request.messages:
        return bad("messages: at least one message is required")
    for place, message in enumerate(request.messages):
        if message["role"] not in {"user", "assistant"}:
            return bad(
                f'messages: Unexpected role "{message["role"]}" at {place}. The Messages API accepts a top-level'
                ' `system` parameter, not "system" as an input message role.'
            )
        if not message["content"]:
            return bad(f"messages.{place}: all messages must have non-empty content")
    return None if request.messages[0]["role"] == "user" else bad('messages: first message must use the "user" role')


def _answers_every_use(request: Received) -> Answer | None:
    """The message after one with uses of tools begins with their results."""
    used: set[str] = set()
    for place, message in enumerate(request.messages):
        blocks = message["content"] if isinstance(message["content"], list) else []
        results = {block["tool_use_id"] for block in blocks if block["type"] == "tool_result"}
        if missing := used - results:
            return bad(
                f"messages.{place - 1}: `tool_use` ids were found without `tool_result` blocks immediately after:"
                f" {', '.join(sorted(missing))}."
            )
        if stray := results - used:
            return bad(
                f"messages.{place}: unexpected `tool_use_id` found in `tool_result` blocks: {', '.join(sorted(stray))}."
            )
        used = {block["id"] for block in blocks if block["type"] == "tool_use"}
    return None


RULES: tuple[Rule, ...] = (_names_its_version, has_model, _limits_its_tokens, _has_plain_roles, _answers_every_use)
