"""Estimates of tokens, and what they learn from counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lion_broker import ModelReply, TokenCalculator, ToolCall
from lion_broker.models.tokens import IMAGE_TOKENS, SMALL_IMAGE_TOKENS, Calibration, TokenCount

IMAGE = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("Hello world", 2),
        ("internationalization", 4),
        ("1234567", 3),
        ("日本語です", 4),
        ("a_b", 3),
        ("x = [1, 2]", 7),
    ],
)
def test_texts_are_estimated_by_their_kind(text: str, tokens: int) -> None:
    """Words, long words, numbers, signs, and writing without spaces."""
    count = TokenCalculator.tokenize(text)
    assert (count, count.estimated) == (tokens, True)


def test_a_count_says_what_it_is() -> None:
    """It is a number, and an estimate is shown as one."""
    assert repr(TokenCount(5, estimated=True)) == "~5"
    assert repr(TokenCount(5, estimated=False)) == "5"
    assert TokenCount(5, estimated=True) + 1 == 6


def test_conversations_count_everything_that_is_sent() -> None:
    """Texts, parts, images, calls of tools, and a little for each message."""
    count = TokenCalculator.calculate_message_tokens
    assert count([{"role": "user", "content": "Hello world"}]) == 6
    assert count([{"role": "user", "content": [{"type": "text", "text": "Hello world"}]}]) == 6
    assert count([{"role": "user", "content": [IMAGE]}]) == 4 + IMAGE_TOKENS
    small = {"type": "image_url", "image_url": {"url": "x", "detail": "low"}}
    assert count([{"role": "user", "content": [small]}]) == 4 + SMALL_IMAGE_TOKENS
    assert count([{"role": "assistant", "content": None}]) == 4
    calls = [{"id": "1", "function": {"name": "add", "arguments": '{"a": 1}'}}]
    assert count([{"role": "assistant", "tool_calls": calls}]) > 10


def test_the_providers_count_comes_first() -> None:
    """Only an answer without usage is estimated."""
    counted = ModelReply("Hello", "m", {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9})
    assert repr(TokenCalculator.calculate_reply_tokens(counted)) == "9"
    assert repr(TokenCalculator.calculate_reply_tokens(ModelReply("Hello", "m"))) == "~5"
    called = ModelReply("", "m", tool_calls=(ToolCall("1", "add", "{}"),))
    assert TokenCalculator.calculate_reply_tokens(called).estimated


def test_estimates_learn_from_counts() -> None:
    """For each model by itself, step by step, and within reason."""
    calibration = Calibration()
    calibration.learn("a", 100, 200)
    assert (calibration.factor("a"), calibration.factor("b")) == (2.0, 1.0)
    calibration.learn("a", 100, 100)
    assert calibration.factor("a") == pytest.approx(1.8)
    calibration.learn("b", 1, 1_000_000)
    assert calibration.factor("b") == 4.0
    calibration.learn("b", 0, 5)
    assert calibration.factor("b") == 4.0
    messages = [{"role": "user", "content": "Hello world"}]
    assert TokenCalculator.calculate_message_tokens(messages, "a", calibration) == 11


def test_the_models_that_are_remembered_are_not_without_number() -> None:
    """The ones that were seen longest ago are forgotten."""
    calibration = Calibration()
    for number in range(300):
        calibration.learn(str(number), 1, 2)
    assert [calibration.factor(str(number)) for number in (0, 299)] == [1.0, 2.0]


@given(st.text())
def test_every_text_has_an_estimate(text: str) -> None:
    """It is never below nothing, and never above a token a character."""
    assert 0 <= TokenCalculator.tokenize(text) <= len(text)
