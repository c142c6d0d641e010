"""The seam between an iModel and a provider: settings go in, an endpoint that answers comes out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from lion_broker.errors import ModelError
from lion_broker.models.reply import ModelReply

__all__ = ["ChatMessage", "EndPoint", "ModelSettings", "endpoint_for"]

# `{"role": "system" | "user" | "assistant", "content": text or list of parts}`
ChatMessage = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """What names a model, without any secret: `api_key_env` is the name of a variable that holds the key."""

    provider: str
    model: str
    endpoint: str = "chat"
    base_url: str | None = None
    api_key_env: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)


class EndPoint(Protocol):
    """Answers conversations with one model of one provider; safe to use from many turns at once."""

    async def invoke(self, messages: Sequence[ChatMessage], parameters: Mapping[str, Any]) -> ModelReply:
        """Return the answer to a conversation; raises ModelError when there is none."""


def endpoint_for(settings: ModelSettings) -> EndPoint:
    """Return the endpoint of a model; raises ModelError when its provider or model is not available."""
    from lion_broker.models.providers.offline import OfflineEndPoint

    if settings.provider != "offline":
        raise ModelError(f"provider {settings.provider} is not available in this version; available: offline")
    return OfflineEndPoint(settings.model)
