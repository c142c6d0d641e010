"""What `operate` answers with: the wanted fields, and with tools also what was called and what came of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import BaseModel, Field, create_model

from lion_broker.errors import ConfigError
from lion_broker.messages.action import ActionRequestModel, ActionResponseModel

__all__ = ["Answer", "Operative", "Reason", "acted", "acting", "extended", "unfinished"]


class Reason(BaseModel):
    """Why a model answers as it does."""

    title: str | None = None
    content: str | None = None
    confidence_score: float | None = Field(default=None, ge=0, le=1)


class Answer(BaseModel):
    """An answer for which no form was asked."""

    text: str = ""


@dataclass(frozen=True, slots=True)
class Operative:
    """An answer with the types that it was asked for and given, and the text that it was made from."""

    request_type: Any
    response_type: Any
    response_str: str
    response_model: Any


_ACTIONS: dict[str, Any] = {
    "action_required": (bool, Field(False, description="Whether tools are to be called.")),
    "action_requests": (list[ActionRequestModel], Field(default_factory=list, description="The calls to be made.")),
    "action_responses": (list[ActionResponseModel], Field(default_factory=list, description="Leave it empty.")),
}


def extended(wanted: Any, reason: bool, field_models: Any, exclude_fields: Sequence[str] | None) -> Any:
    """Return the wanted type with further fields and without some; raises ConfigError where there are no fields."""
    further = {**_further(field_models), **({"reason": (Reason | None, None)} if reason else {})}
    if not further and not exclude_fields:
        return wanted
    if wanted is None:
        wanted = Answer
    if not _is_model(wanted):
        raise ConfigError("reason, field_models and exclude_fields need a pydantic model as response_format.")
    unknown = [name for name in exclude_fields or () if name not in wanted.model_fields]
    if unknown:
        raise ConfigError(f"{wanted.__name__} has no fields to exclude named {', '.join(unknown)}.")
    if not exclude_fields:
        return create_model(wanted.__name__, __base__=wanted, **further)
    kept = {name: (info.annotation, info) for name, info in wanted.model_fields.items() if name not in exclude_fields}
    return create_model(wanted.__name__, **{**kept, **further})


def acting(wanted: Any) -> Any:
    """Return the wanted type (None: a plain answer) with the fields of actions."""
    if wanted is None:
        wanted = Answer
    if isinstance(wanted, Mapping):
        actions = _actions().model_json_schema()
        return {
            **wanted,
            "properties": {**wanted.get("properties", {}), **actions["properties"]},
            "$defs": {**wanted.get("$defs", {}), **actions["$defs"]},
        }
    if not _is_model(wanted):
        raise ConfigError("With tools, response_format is a pydantic model or a JSON schema of an object.")
    return create_model(wanted.__name__, __base__=wanted, **_ACTIONS)


def acted(value: Any, requests: Sequence[ActionRequestModel], responses: Sequence[ActionResponseModel]) -> Any:
    """Return an answer (a model, or a dict) with what was called and what came of it."""
    actions = {
        "action_required": bool(requests),
        "action_requests": list(requests),
        "action_responses": list(responses),
    }
    if isinstance(value, BaseModel):
        return value.model_copy(update=actions)
    return {**value, **json.loads(_actions()(**actions).model_dump_json())}


@cache
def _actions() -> type[BaseModel]:
    return create_model("Actions", **_ACTIONS)


def unfinished(kind: Any) -> Any:
    """Return an answer of a type that was not given yet because calls come first: its fields are empty."""
    if isinstance(kind, Mapping):
        return {}
    return kind.model_construct(**dict.fromkeys(name for name, info in kind.model_fields.items() if info.is_required()))


def _further(field_models: Any) -> dict[str, Any]:
    if field_models is None:
        return {}
    if isinstance(field_models, Mapping):
        return {name: kind if isinstance(kind, tuple) else (kind, ...) for name, kind in field_models.items()}
    try:
        return {one.name: (one.annotation, getattr(one, "default", ...)) for one in field_models}
    except (TypeError, AttributeError) as error:
        raise ConfigError("field_models maps names to types, or to (type, default).") from error


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
