"""Models by their settings."""

import json
from typing import Any

import pytest

from lion_broker.errors import ConfigError, ModelError, ModelNotConfigured, NotPortable
from lion_broker.models import iModel, iModelManager

KEY = "sk-very-secret"
QUESTION = [{"role": "user", "content": "Who is there?"}]


def test_a_model_is_named_in_two_ways() -> None:
    """Provider and model apart, or both in one text; further slashes belong to the model."""
    assert iModel(provider="offline", model="extractive").name == "offline/extractive"
    assert iModel(model="offline/extractive").name == "offline/extractive"
    assert iModel(model="openrouter/meta/llama").model == "meta/llama"
    assert iModel(provider="openrouter", model="meta/llama").model == "meta/llama"


@pytest.mark.parametrize("named", [{}, {"provider": "openai"}, {"model": "gpt"}, {"provider": "", "model": "x/"}])
def test_a_model_without_both_names_is_refused(named: dict[str, Any]) -> None:
    """The error shows how to name one."""
    with pytest.raises(ConfigError, match="Give provider and model"):
        iModel(**named)


def test_settings_are_json_and_make_the_same_model() -> None:
    """What travels names the model completely, parameters included."""
    model = iModel("openai", "gpt", base_url="http://localhost:1/v1", api_key_env="MY_KEY", temperature=0.5)
    settings = json.loads(json.dumps(model.settings()))
    again = iModel.from_dict(settings)
    assert again.settings() == settings == model.to_dict()
    assert settings["api_key_env"] == "MY_KEY"
    assert settings["parameters"] == {"temperature": 0.5}


def test_a_key_is_nowhere_to_be_seen() -> None:
    """A key that is given stays in the object: no settings, dict or text shows it."""
    model = iModel("openai", "gpt", api_key=KEY)
    assert KEY not in f"{model!r} {model} {model.settings()} {model.to_dict()} {vars(model)}"


def test_a_key_and_the_name_of_a_key_are_not_both_taken() -> None:
    """It would not be clear which of them counts."""
    with pytest.raises(ConfigError, match="not both"):
        iModel("openai", "gpt", api_key=KEY, api_key_env="MY_KEY")


def test_parameters_have_a_json_form() -> None:
    """A function among the parameters is refused when the model is named, not when it travels."""
    with pytest.raises(NotPortable, match="'stop'"):
        iModel("openai", "gpt", stop=print)


def test_settings_of_something_else_are_refused() -> None:
    """Unknown keys, and a key above all, are no settings."""
    with pytest.raises(ConfigError, match="no settings of a model: api_key"):
        iModel.from_dict({"provider": "openai", "model": "gpt", "api_key": KEY})
    with pytest.raises(ConfigError, match="not list"):
        iModel.from_dict([])  # type: ignore[arg-type]


@pytest.mark.anyio
async def test_a_provider_that_is_not_here_is_told_at_the_call() -> None:
    """A model of another provider can be named, but not asked."""
    with pytest.raises(ModelNotConfigured, match="'nobody' is not available here"):
        await iModel("nobody", "gpt").invoke(QUESTION)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("named", "missing"),
    [
        ({"provider": "openai"}, "OPENAI_API_KEY"),
        ({"provider": "anthropic"}, "ANTHROPIC_API_KEY"),
        ({"provider": "openai", "api_key_env": "MY_KEY"}, "MY_KEY"),
        ({"provider": "mine", "base_url": "http://localhost:1/v1", "api_key_env": "MY_KEY"}, "MY_KEY"),
    ],
)
async def test_a_missing_key_is_told_at_the_call(
    named: dict[str, Any], missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the variable that is to be set."""
    monkeypatch.delenv(missing, raising=False)
    with pytest.raises(ModelNotConfigured, match=f"set {missing} "):
        await iModel(model="gpt", **named).invoke(QUESTION)


@pytest.mark.anyio
async def test_an_unknown_offline_model_is_told_at_the_call() -> None:
    """The error names the model that there is."""
    with pytest.raises(ModelError, match="it has: extractive"):
        await iModel("offline", "large").invoke(QUESTION)


def test_models_are_held_by_their_use() -> None:
    """Chat and parse have their own names, others are found in the registry."""
    chat, parse, other = (iModel("offline", "extractive") for _ in range(3))
    manager = iModelManager(chat=chat, registered={"draft": other})
    assert manager.chat is chat
    assert iModelManager(chat=chat).parse is None
    manager.register_imodel("parse", parse)
    assert manager.parse is parse
    assert list(manager.registry) == ["draft", "chat", "parse"]
    assert "draft" in manager


def test_only_models_can_be_held() -> None:
    """A name is no model."""
    with pytest.raises(TypeError, match="not str"):
        iModelManager().register_imodel("chat", "offline/extractive")  # type: ignore[arg-type]
