"""Prices that somebody has written down, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from lion_broker.errors import ConfigError
from lion_broker.insight.prices import Price, Prices, read_prices

FILE = """
[models]
"openai/*" = { input = 1.0, output = 4.0 }
"openai/gpt-5-mini" = { input = 2.0, output = 8.0, cached_input = 0.5 }
"anthropic/claude-*" = { input = 3, output = 15 }
"""


def test_the_longest_name_that_fits_holds(tmp_path: Path) -> None:
    """A name in full goes before every pattern, and a model that nobody named has no price."""
    path = tmp_path / "prices.toml"
    path.write_text(FILE)
    prices = read_prices(str(path))
    assert prices.of("openai/gpt-5-mini") == Price(2.0, 8.0, 0.5)
    assert prices.of("openai/other") == Price(1.0, 4.0)
    assert prices.of("anthropic/claude-x") == Price(3.0, 15.0)
    assert prices.of("somebody/else") is None
    assert read_prices(None) == Prices()


def test_tokens_cost_what_the_price_says() -> None:
    """Per million; those from a cache cost less where that has a price, and never are more than the prompt."""
    assert Price(2.0, 8.0).cost(1_000_000, 500_000) == 6.0
    assert Price(2.0, 8.0).cost(1_000_000, 0, 400_000) == 2.0
    assert Price(2.0, 8.0, 0.5).cost(1_000_000, 0, 400_000) == 1.4
    assert Price(2.0, 8.0, 0.5).cost(100, 0, 400) == pytest.approx(50 / 1_000_000)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r"needs a table \[models\]"),
        ("models = 3", r"needs a table \[models\]"),
        ("[models", "is no TOML"),
        ("[models]\na = { input = 1 }", "says of 'a' what is no price"),
        ("[models]\na = { input = 1, output = -1 }", "says of 'a' what is no price"),
        ("[models]\na = { input = 1, output = nan }", "says of 'a' what is no price"),
        ("[models]\na = { input = 1, output = 1" + 400 * "0" + " }", "says of 'a' what is no price"),
        ("[models]\na = { input = true, output = 1 }", "says of 'a' what is no price"),
        ("[models]\na = { input = 1, output = 1, more = 1 }", "says of 'a' what is no price"),
        ("[models]\na = 1", "says of 'a' what is no price"),
    ],
)
def test_what_is_no_file_of_prices_is_refused(tmp_path: Path, text: str, said: str) -> None:
    """With the setting, the file and what is needed."""
    path = tmp_path / "prices.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=f"LION_BROKER_MODEL_PRICES names .*prices.toml, which {said}"):
        read_prices(str(path))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """Nor is a folder one, nor something that is no text."""
    path = tmp_path / "prices.toml"
    for _ in ("none", "folder"):
        with pytest.raises(ConfigError, match="which cannot be read"):
            read_prices(str(path))
        path.mkdir(exist_ok=True)
    (tmp_path / "b").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="which is no TOML"):
        read_prices(str(tmp_path / "b"))
