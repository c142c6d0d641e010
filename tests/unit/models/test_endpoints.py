"""Which endpoint answers for which settings."""

from __future__ import annotations

from importlib.metadata import EntryPoint, EntryPoints
from typing import Any

import pytest

from lion_broker import ChatCompletionEndPoint, ConfigError, ModelNotConfigured
from lion_broker.models import endpoint
from lion_broker.models.chat import MessagesEndPoint
from lion_broker.models.endpoint import ModelSettings, endpoint_for
from lion_broker.models.policy import ModelPolicy
from lion_broker.models.providers.offline import OfflineEndPoint

LOCAL = "http://127.0.0.1:1/v1"


@pytest.mark.parametrize(
    ("settings", "kind", "place"),
    [
        ({"provider": "openai"}, ChatCompletionEndPoint, "openai/m at api.openai.com/v1/chat/completions"),
        ({"provider": "groq"}, ChatCompletionEndPoint, "groq/m at api.groq.com/openai/v1/chat/completions"),
        ({"provider": "ollama"}, ChatCompletionEndPoint, "ollama/m at localhost:11434/v1/chat/completions"),
        ({"provider": "anthropic"}, MessagesEndPoint, "anthropic/m at api.anthropic.com/v1/messages"),
        ({"provider": "anthropic", "endpoint": "messages"}, MessagesEndPoint, "api.anthropic.com/v1/messages"),
        ({"provider": "anthropic", "base_url": f"{LOCAL}/"}, MessagesEndPoint, "127.0.0.1:1/v1/messages"),
        ({"provider": "mine", "base_url": LOCAL}, ChatCompletionEndPoint, "mine/m at 127.0.0.1:1/v1/chat/completions"),
        ({"provider": "mine", "base_url": LOCAL, "endpoint": "messages"}, MessagesEndPoint, "127.0.0.1:1/v1/messages"),
        ({"provider": "openai", "endpoint": "chat/completions"}, ChatCompletionEndPoint, "/v1/chat/completions"),
    ],
)
def test_providers_are_where_they_are(settings: dict[str, str], kind: type, place: str) -> None:
    """And speak what they speak."""
    made = endpoint_for(ModelSettings(model="m", **settings))  # type: ignore[arg-type]  # a choice
    assert type(made) is kind
    assert place in repr(made)


def test_offline_needs_no_server() -> None:
    """It is in the package."""
    assert isinstance(endpoint_for(ModelSettings("offline", "extractive")), OfflineEndPoint)


@pytest.mark.parametrize(
    "base_url", ["", "localhost:1", "ftp://x", "http://", "http://x:port", "http://[", f"{LOCAL}?key=x"]
)
def test_addresses_that_are_none(base_url: str) -> None:
    """They are told before anything is sent."""
    with pytest.raises(ModelNotConfigured, match="base_url"):
        endpoint_for(ModelSettings("mine", "m", base_url=base_url))


def test_an_unknown_endpoint_is_a_value_error() -> None:
    """As LionAGI has it."""
    with pytest.raises(ValueError, match="'embeddings' of openai/m is not known"):
        endpoint_for(ModelSettings("openai", "m", endpoint="embeddings"))


def test_packages_bring_providers(monkeypatch: pytest.MonkeyPatch) -> None:
    """By an entry point of their name; but not because a mail says so."""
    entry = EntryPoint("mine", f"{__name__}:made_by_a_package", endpoint.PROVIDERS_GROUP)
    monkeypatch.setattr(EntryPoint, "load", lambda entry: made_by_a_package)
    monkeypatch.setattr(endpoint, "entry_points", lambda **wanted: EntryPoints([entry]).select(**wanted))
    made: Any = endpoint_for(ModelSettings("mine", "m"))
    assert made == ("made", "m", None)
    with pytest.raises(ModelNotConfigured):
        endpoint_for(ModelSettings("other", "m"))
    with pytest.raises(ConfigError, match="not built in"):
        ModelPolicy().received({"provider": "mine", "model": "m"})


def made_by_a_package(settings: ModelSettings, key: Any) -> Any:
    """A factory."""
    return ("made", settings.model, key)
