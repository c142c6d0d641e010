"""Which models that somebody else has named may be asked from here."""

from typing import Any

import pytest

from lion_broker import ConfigError
from lion_broker.config import Settings
from lion_broker.models.policy import ModelPolicy

NAMED = {"provider": "openai", "model": "gpt"}


@pytest.mark.parametrize(
    ("allowed", "base_url", "is_allowed"),
    [
        ("", "https://llm.example/v1", False),
        ("llm.example", "https://llm.example/v1", True),
        ("llm.example", "https://llm.example:443/v1", True),
        ("llm.example", "https://LLM.example/other", True),
        ("LLM.example", "https://llm.example", True),
        ("llm.example", "http://llm.example/v1", False),
        ("llm.example", "https://llm.example:8443/v1", False),
        ("llm.example", "https://llm.example.evil.example/v1", False),
        ("llm.example", "https://llm.example@evil.example/v1", False),
        ("llm.example", "https://evil.example/llm.example", False),
        ("llm.example", "https://evil.example#llm.example", False),
        ("llm.example", "https://x.llm.example/v1", False),
        ("llm.example", "ftp://llm.example", False),
        ("llm.example", "file:///etc/passwd", False),
        ("localhost:8000, other", "http://localhost:8000/v1", True),
        ("localhost:8000", "http://localhost:6379/v1", False),
        ("localhost:8000", "http://localhost:99999999/v1", False),
        ("localhost:8000", "http://[", False),
        ("https://llm.example/v1/", "https://llm.example/v1", True),
        ("https://llm.example/v1", "https://llm.example/v1/", True),
        ("https://llm.example/v1", "https://llm.example/v2", False),
        ("https://llm.example/v1", "https://llm.example/v1/../admin", False),
        ("https://llm.example/v1", "http://llm.example/v1", False),
        ("https://llm.example/v1", "https://llm.example/v1?x=1", False),
    ],
)
def test_servers_are_allowed_by_name(allowed: str, base_url: str, is_allowed: bool) -> None:
    """A host means https at its usual port, host:port that port, and a URL itself."""
    policy = ModelPolicy.of(Settings.load({"LION_BROKER_MODEL_HOSTS": allowed}))
    assert policy.allows(base_url) is is_allowed
    values = {**NAMED, "base_url": base_url}
    if is_allowed:
        assert policy.received(values).to_dict() == {**values, "parameters": {}}
    else:
        with pytest.raises(ConfigError, match="LION_BROKER_MODEL_HOSTS"):
            policy.received(values)


@pytest.mark.parametrize(
    ("allowed", "values", "is_allowed"),
    [
        (None, NAMED, True),
        (None, {**NAMED, "api_key_env": "GROQ_API_KEY"}, True),
        (None, {**NAMED, "api_key_env": "LION_BROKER_SECRET"}, False),
        ("MY_KEY, OTHER", {**NAMED, "api_key_env": "MY_KEY"}, True),
        ("MY_KEY", NAMED, False),
        ("MY_KEY", {"provider": "offline", "model": "extractive"}, True),
    ],
)
def test_keys_are_allowed_by_the_names_of_their_variables(
    allowed: Any, values: dict[str, str], is_allowed: bool
) -> None:
    """The one that a provider has by default is meant where none is named."""
    policy = ModelPolicy.of(Settings.load({} if allowed is None else {"LION_BROKER_MODEL_KEYS": allowed}))
    if is_allowed:
        assert policy.received(values).model == values["model"]
    else:
        with pytest.raises(ConfigError, match="LION_BROKER_MODEL_KEYS"):
            policy.received(values)


def test_the_same_settings_are_the_same_model() -> None:
    """So that everybody who was sent it shares its limits; the oldest of very many are forgotten."""
    policy = ModelPolicy()
    first = policy.received({**NAMED, "limit_requests": 5})
    assert policy.received({"limit_requests": 5, **NAMED}) is first
    assert policy.received(NAMED) is not first
    for number in range(300):
        policy.received({"provider": "offline", "model": str(number)})
    assert policy.received({**NAMED, "limit_requests": 5}) is not first


@pytest.mark.parametrize(
    "values",
    [
        [],
        {},
        {"provider": "openai"},
        {**NAMED, "api_key": "x"},
        {**NAMED, "timeout": 1e9},
        {**NAMED, "timeout": "long"},
        {**NAMED, "timeout": True},
        {**NAMED, "max_retries": 10**9},
        {**NAMED, "max_retries": 1.5},
        {**NAMED, "base_url": 5},
        {**NAMED, "limit_tokens": -5},
        {**NAMED, "parameters": [1]},
        {**NAMED, "parameters": {"api_key": "x"}},
        {**NAMED, "parameters": {"base_url": "https://evil.example"}},
        {**NAMED, "parameters": {"timeout": 5}},
    ],
)
def test_settings_of_something_else_are_refused(values: Any) -> None:
    """Whoever sent them cannot smuggle anything in, or have a worker wait for days."""
    with pytest.raises(ConfigError):
        ModelPolicy().received(values)
