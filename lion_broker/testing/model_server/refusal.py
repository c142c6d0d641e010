"""What a real server refuses: a wrong key, a parameter that it does not know, a request that makes no sense."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from . import anthropic_rules, openai_rules
from .answer import Answer
from .openai_rules import bad
from .request import Received

__all__ = ["key_refusal", "request_refusal"]

_GUIDE = "https://platform.openai.com/docs/guides/structured-outputs"


def key_refusal(request: Received, api_key: str) -> Answer | None:
    """Return the error for a request without the right key."""
    if request.key == api_key:
        return None
    if request.is_anthropic:
        return Answer("invalid x-api-key" if request.key else "x-api-key header is required", status=401)
    said = f"Incorrect API key provided: {request.key[:3]}***." if request.key else "You didn't provide an API key."
    return Answer(said, status=401, error={"type": "invalid_request_error", "code": "invalid_api_key"})


def request_refusal(request: Received, refused: Collection[str], strict: bool) -> Answer | None:
    """Return the error for a chat request that a real server would not take, None for a good one.

    `refused` holds types of `response_format` and names of parameters; `strict` asks for a request that makes sense.
    """
    for name in sorted(refused):
        if found := _unsupported(request.body, name):
            return found
    rules = (anthropic_rules.RULES if request.is_anthropic else openai_rules.RULES) if strict else ()
    try:
        return next((found for rule in rules if (found := rule(request))), None)
    except (AttributeError, KeyError, TypeError) as error:
        return bad(f"The request has not the form that it should have: {error!r}.")


def _unsupported(body: Mapping[str, Any], name: str) -> Answer | None:
    if (body.get("response_format") or {}).get("type") == name:
        return bad(
            f"Invalid parameter: 'response_format' of type '{name}' is not supported with this model."
            f" Learn more about supported models at the Structured Outputs guide: {_GUIDE}"
        )
    if name in body:
        said = f"Unsupported parameter: '{name}' is not supported with this model."
        return bad(said, param=name, code="unsupported_parameter")
    return None
