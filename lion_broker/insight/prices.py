"""What calls of models cost, by the prices that somebody has written down; no price is known here."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

from lion_broker.core.numbers import is_amount
from lion_broker.errors import ConfigError

__all__ = ["Price", "Prices", "read_prices"]

_MILLION: Final = 1_000_000
_MOST_BYTES: Final = 1_000_000
_NAMES: Final = ("input", "output", "cached_input")


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a million tokens: in, out, and in from the provider's cache (as any other when not given)."""

    input: float
    output: float
    cached_input: float | None = None

    def cost(self, prompt: int, completion: int, cached: int = 0) -> float:
        """What so many tokens cost, in US dollars; `cached` are those of the prompt that came from the cache."""
        cached = max(0, min(cached, prompt)) if self.cached_input is not None else 0
        dear = (prompt - cached) * self.input + completion * self.output
        return (dear + cached * (self.cached_input or 0.0)) / _MILLION


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices by the names of models; `*` in a name stands for anything, and the longest name that fits holds."""

    by_name: Mapping[str, Price] = field(default_factory=dict)

    def of(self, model: str) -> Price | None:
        """The price of a model, `provider/model`; None when nobody has said it."""
        exact = self.by_name.get(model)
        fitting = (name for name in self.by_name if fnmatchcase(model, name))
        return exact or self.by_name.get(max(fitting, key=len, default=""))


def read_prices(path: str | None) -> Prices:
    """Read a file of prices in TOML; no path, no prices. Raises ConfigError for what is no such file."""
    if not path:
        return Prices()
    try:
        data = Path(path).read_bytes()
        table = tomllib.loads(data.decode()) if len(data) <= _MOST_BYTES else {}
    except OSError as error:
        raise _refused(path, f"cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, ValueError) as error:
        raise _refused(path, f"is no TOML: {error}") from None
    models = table.get("models")
    if not isinstance(models, Mapping) or not models:
        raise _refused(path, 'needs a table [models], such as "openai/gpt-5-mini" = { input = 1.0, output = 2.0 }')
    return Prices({name: _price(path, name, values) for name, values in models.items()})


def _price(path: str, name: str, values: Any) -> Price:
    known = isinstance(values, Mapping) and {"input", "output"} <= values.keys() <= set(_NAMES)
    if not known or not all(is_amount(value) for value in values.values()):
        raise _refused(
            path,
            f"says of {name[:100]!r} what is no price: input and output are needed, in US dollars per million tokens",
        )
    return Price(**{key: float(value) for key, value in values.items()})


def _refused(path: str, why: str) -> ConfigError:
    return ConfigError(f"LION_BROKER_MODEL_PRICES names {path}, which {why}.")
