"""The providers that are built in: where they are, which protocol they speak, and which variable holds their key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pydantic import SecretStr

from lion_broker.config import Settings
from lion_broker.errors import ModelNotConfigured
from lion_broker.models.chat import ChatCompletionEndPoint, HttpEndPoint, MessagesEndPoint
from lion_broker.models.endpoint import ModelSettings

__all__ = ["KEY_NAMES", "NAMES", "Provider", "http_endpoint", "is_known", "key_name", "key_of"]

_CHATS: Final = ("chat", "chat/completions", "messages")


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider: `key_env` names the variable of its key, and is empty where none is needed."""

    base_url: str
    key_env: str = ""
    speaks: type[HttpEndPoint] = ChatCompletionEndPoint


_PROVIDERS: Final = {
    "anthropic": Provider("https://api.anthropic.com", "ANTHROPIC_API_KEY", MessagesEndPoint),
    "groq": Provider("https://api.groq.com/openai/v1", "GROQ_API_KEY"),
    "ollama": Provider("http://localhost:11434/v1"),
    "openai": Provider("https://api.openai.com/v1", "OPENAI_API_KEY"),
    "openrouter": Provider("https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
    "perplexity": Provider("https://api.perplexity.ai", "PERPLEXITY_API_KEY"),
}

NAMES: Final = frozenset({"offline", *_PROVIDERS})
KEY_NAMES: Final = frozenset(provider.key_env for provider in _PROVIDERS.values() if provider.key_env)


def is_known(settings: ModelSettings) -> bool:
    """Whether a model can be reached without a plugin."""
    return settings.provider in _PROVIDERS or settings.base_url is not None


def key_name(settings: ModelSettings) -> str:
    """Return the name of the variable that holds a model's key; empty when it needs none."""
    provider = _PROVIDERS.get(settings.provider)
    return settings.api_key_env or (provider.key_env if provider else "")


def key_of(settings: ModelSettings) -> SecretStr | None:
    """Return a model's key from the environment, None when it needs none.

    `NAME_FILE` names a file with the key. Raises ModelNotConfigured when a key is needed and not there: a `base_url`
    needs one only if `api_key_env` says so.
    """
    name = key_name(settings)
    if not name:
        return None
    key = Settings.load().secret_named(name)
    if key is None and (settings.api_key_env or settings.base_url is None):
        raise ModelNotConfigured(
            f"The model {settings.provider}/{settings.model} needs a key: set {name} (or {name}_FILE) in the"
            " environment of this process, or give the model api_key= or api_key_env=."
        )
    return key


def http_endpoint(settings: ModelSettings, key: SecretStr | None) -> HttpEndPoint:
    """Return the endpoint of a model that is reached over HTTP. Raises ModelNotConfigured for an unknown endpoint."""
    if settings.endpoint not in _CHATS:
        raise ModelNotConfigured(
            f"The endpoint {settings.endpoint!r} of {settings.provider}/{settings.model} is not known; known are"
            f" {', '.join(_CHATS)}."
        )
    protocol = MessagesEndPoint if settings.endpoint == "messages" else ChatCompletionEndPoint
    provider = _PROVIDERS.get(settings.provider) or Provider("", speaks=protocol)
    return provider.speaks(
        settings.model,
        base_url=settings.base_url or provider.base_url,
        api_key=key,
        provider=settings.provider,
        patience=settings.patience,
    )
