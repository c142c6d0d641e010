"""The model that leads the desk's report: one that somebody has named, or the one that needs no network."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from lion_broker.config import Settings
from lion_broker.errors import ConfigError
from lion_broker.messages import AssistantResponse
from lion_broker.models.imodel import iModel
from lion_broker.models.providers.offline import LABEL
from lion_broker.models.tokens import TokenCalculator

__all__ = ["MODEL", "MODEL_KEY", "MODEL_URL", "Tokens", "is_offline", "label_of", "model_of", "own_words", "tokens_of"]

MODEL: Final = "LION_BROKER_DEMO_MODEL"
"""The variable that names the model: `provider/model`, or with a URL the model alone."""
MODEL_URL: Final = "LION_BROKER_DEMO_MODEL_URL"
"""The variable that names the base URL of a server that speaks OpenAI's chat completions."""
MODEL_KEY: Final = "LION_BROKER_DEMO_MODEL_KEY"
"""The variable that holds its key; none is needed where the server wants none."""

_OFFLINE: Final = "offline/extractive"
_MOST_WORDS: Final = 150
_CITATION: Final = re.compile(r"\s?\[(\d{1,3})\]")
_SIGNS: Final = re.compile(r"[\\`*_<>#|]|^[-+>] ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Tokens:
    """How many tokens the desk's model has taken; `estimated` when its server did not say."""

    count: int = 0
    estimated: bool = False


def model_of(environ: Mapping[str, str]) -> iModel:
    """Return the model that the environment names; raises ConfigError when it names half of one."""
    name, url = environ.get(MODEL, ""), environ.get(MODEL_URL) or None
    if not name and url is None:
        return iModel(model=_OFFLINE)
    if not name:
        raise ConfigError(f"{MODEL_URL} names a server, but no model: set {MODEL}, for example to gpt-4o-mini.")
    if "/" not in name and url is None:
        raise ConfigError(f"{MODEL} is {name!r}: write provider/model, or name the server with {MODEL_URL}.")
    key = Settings.load(environ).secret_named(MODEL_KEY)
    if url is not None:
        # On a server of one's own a name may well have a slash in it.
        return iModel("openai", name, base_url=url, api_key=key, temperature=0)
    return iModel(model=name, api_key=key, temperature=0)


def is_offline(model: iModel | None) -> bool:
    """Whether a model is none: it chooses sentences, and knows no others."""
    return model is None or model.provider == "offline"


def label_of(model: iModel | None) -> str:
    """Return what the report says of the model that was at work, the name up to a colon."""
    if model is None or is_offline(model):
        return LABEL
    return f"{model.name}: a language model wrote the paragraph that begins with “In short”"


def own_words(text: str, quotes: int) -> str:
    """Return what a model wrote as one plain paragraph; citations of quotes that there are not are left out."""
    said = _SIGNS.sub("", text)
    said = _CITATION.sub(lambda cited: cited[0] if 1 <= int(cited[1]) <= quotes else "", said)
    words = said.split()
    return " ".join(words[:_MOST_WORDS]) + (" …" if len(words) > _MOST_WORDS else "")


def tokens_of(question: str, answers: Sequence[AssistantResponse]) -> Tokens:
    """Return what some answers have taken, as their server has counted, or an estimate."""
    counted = [one.metadata.get("usage", {}).get("total_tokens") for one in answers]
    if all(isinstance(one, int) for one in counted):
        return Tokens(sum(one for one in counted if isinstance(one, int)))
    said = [{"role": "user", "content": question}, *({"role": "assistant", "content": one.text} for one in answers)]
    return Tokens(int(TokenCalculator.calculate_message_tokens(said)), estimated=True)
