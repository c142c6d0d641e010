"""Waiting for a predicate, in both colours."""

import time
from collections.abc import Callable, Iterator

import pytest

from lion_broker.testing import await_until, wait_until


@pytest.fixture
def third_time() -> Callable[[], str]:
    """A predicate that is true when asked for the third time."""
    answers: Iterator[str] = iter(["", "", "there"])
    return lambda: next(answers)


def test_the_answer_is_returned(third_time: Callable[[], str]) -> None:
    """It asks until the answer is true."""
    assert wait_until(third_time) == "there"


def test_it_asks_even_without_time() -> None:
    """With a timeout of nothing there is still one look."""
    assert wait_until(lambda: 7, timeout=0) == 7


def test_the_message_shows_what_was_seen_last() -> None:
    """When it never is so, the error says what was waited for, how long, and the last answer, cut if it is long."""
    with pytest.raises(AssertionError, match=r"^no mail within 0\.01 s; the last answer was \[\]$"):
        wait_until(list, timeout=0.01, message="no mail")
    with pytest.raises(AssertionError) as raised:
        wait_until(lambda: Long(), timeout=0)
    assert len(str(raised.value)) < 600


def test_there_is_a_look_at_the_deadline() -> None:
    """What becomes so within the time is seen, however long the pauses have grown."""
    end = time.monotonic() + 0.08
    assert wait_until(lambda: time.monotonic() >= end, timeout=0.1)


def test_who_has_slept_through_the_deadline_looks_once_more() -> None:
    """What became so while the process had to wait itself is no failure."""
    begun = time.monotonic()

    def look() -> bool:
        before = time.monotonic()
        while time.monotonic() < begun + 0.05:
            pass
        return before >= begun + 0.05

    assert wait_until(look, timeout=0.01)


def test_an_error_of_the_predicate_is_raised() -> None:
    """A predicate that fails is not asked again."""
    with pytest.raises(ZeroDivisionError):
        wait_until(lambda: 1 / 0)


@pytest.mark.anyio
async def test_waiting_without_blocking(third_time: Callable[[], str]) -> None:
    """The async twin takes plain predicates and async ones."""

    async def asked() -> str:
        return third_time()

    assert await await_until(asked) == "there"
    assert await await_until(lambda: 7) == 7


@pytest.mark.anyio
async def test_waiting_without_blocking_fails_alike() -> None:
    """The async twin says the same."""
    with pytest.raises(AssertionError, match=r"not so within 0\.01 s; the last answer was None"):
        await await_until(lambda: None, timeout=0.01)


class Long:
    """Something false with a long name."""

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "long" * 1000
