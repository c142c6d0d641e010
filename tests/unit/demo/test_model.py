"""The model that leads the report: what names it, and what is made of what it says."""

from __future__ import annotations

import pytest

from lion_broker import AssistantResponse
from lion_broker.demo.model import (
    MODEL,
    MODEL_KEY,
    MODEL_URL,
    Tokens,
    is_offline,
    label_of,
    model_of,
    own_words,
    tokens_of,
)
from lion_broker.errors import ConfigError


def test_without_a_name_there_is_no_language_model() -> None:
    """The extractive model needs nothing, and says what it is."""
    model = model_of({})
    assert is_offline(model)
    assert label_of(model) == "offline/extractive: no language model was used"


@pytest.mark.parametrize(
    ("environ", "name", "url"),
    [
        ({MODEL: "anthropic/some-model"}, "anthropic/some-model", None),
        (
            {MODEL: "small", MODEL_URL: "http://localhost:1/v1", MODEL_KEY: "hush"},
            "openai/small",
            "http://localhost:1/v1",
        ),
        ({MODEL: "a/b", MODEL_URL: "http://localhost:1/v1"}, "openai/a/b", "http://localhost:1/v1"),
    ],
)
def test_three_variables_name_a_model(environ: dict[str, str], name: str, url: str | None) -> None:
    """A provider's, or one of a server of one's own; the key is not to be seen."""
    model = model_of(environ)
    assert (model.name, model.settings().get("base_url"), is_offline(model)) == (name, url, False)
    assert label_of(model).startswith(f"{name}: a language model wrote")
    assert "hush" not in f"{model!r} {model.settings()}"


@pytest.mark.parametrize("environ", [{MODEL: "small"}, {MODEL_URL: "http://localhost:1/v1"}])
def test_half_a_model_is_an_error(environ: dict[str, str]) -> None:
    """It says which variable is missing."""
    with pytest.raises(ConfigError, match="LION_BROKER_DEMO_MODEL"):
        model_of(environ)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Lions hunt [1].\n\nOwls [3] too [2].", "Lions hunt [1]. Owls too [2]."),
        ("# Title\n- **one** `two` <b>", " Title one two b".strip()),
        ("", ""),
        ("word " * 200, " ".join(["word"] * 150) + " …"),
    ],
)
def test_own_words_are_one_plain_paragraph(said: str, shown: str) -> None:
    """No markup of a model's gets into the report, and no citation of a quote that is not there."""
    assert own_words(said, 2) == shown


def test_tokens_are_counted_or_estimated() -> None:
    """What the server has counted goes before an estimate, which says that it is one."""
    counted = AssistantResponse.create("Well.")
    counted.metadata = {"usage": {"total_tokens": 12}}
    assert tokens_of("Why?", [counted, counted]) == Tokens(24)
    guessed = tokens_of("Why?", [counted, AssistantResponse.create("Because it is so.")])
    assert guessed.estimated
    assert guessed.count > 5
    assert tokens_of("Why?", []) == Tokens(0)
