"""What is decided about a mail that fails: how often, how soon, and what then."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lion_broker import ConfigError
from lion_broker.branch.retry_policy import DEFAULT_RETRY_POLICY, OnFailure, RetryPolicy
from lion_broker.branch.timing import AT_ONCE, Timing


def test_pauses_double_up_to_a_limit() -> None:
    """Without luck the whole pause, however many attempts there were."""
    policy = RetryPolicy(attempts=100, backoff=1.0, max_backoff=10.0)
    assert [policy.pause_ms(attempts, 0.0) for attempts in (1, 2, 3, 4, 5, 99)] == [
        1000,
        2000,
        4000,
        8000,
        10000,
        10000,
    ]


@given(
    st.integers(1, 10_000),
    st.floats(0, 1e6),
    st.floats(0, 1e6),
    st.floats(0, 1, exclude_max=True),
)
def test_a_pause_is_between_half_and_the_whole(attempts: int, backoff: float, most: float, chance: float) -> None:
    """Jitter takes off at most half, and the limit holds for any number of attempts."""
    policy = RetryPolicy(attempts=3, backoff=backoff, max_backoff=most)
    whole, pause = policy.pause_ms(attempts, 0.0), policy.pause_ms(attempts, chance)
    assert whole / 2 - 1 <= pause <= whole <= most * 1000 + 1


def test_luck_is_used() -> None:
    """Two mails that fail together are not tried again together."""
    assert len({DEFAULT_RETRY_POLICY.pause_ms(10) for _ in range(50)}) > 25


@pytest.mark.parametrize(
    ("policy", "tried"),
    [
        (RetryPolicy(attempts=3), [True, True, False, False]),
        (RetryPolicy(attempts=1), [False, False, False, False]),
        (RetryPolicy(OnFailure.SKIP, attempts=3), [False, False, False, False]),
        (RetryPolicy("halt", attempts=2), [True, False, False, False]),
    ],
    ids=str,
)
def test_how_often_a_mail_is_tried(policy: RetryPolicy, tried: list[bool]) -> None:
    """As many times as the policy says, and with `skip` once."""
    assert [policy.tries_again(attempts) for attempts in (1, 2, 3, 4)] == tried


@pytest.mark.parametrize(
    ("odd", "told"),
    [
        ({"on_failure": "never"}, "retry, skip, halt"),
        ({"on_failure": None}, "retry, skip, halt"),
        ({"attempts": 0}, "attempts is 0"),
        ({"attempts": True}, "attempts is True"),
        ({"attempts": 1.5}, r"attempts is 1\.5"),
        ({"backoff": -1}, "backoff is -1"),
        ({"backoff": float("inf")}, "backoff is inf"),
        ({"backoff": "soon"}, "backoff is 'soon'"),
        ({"max_backoff": float("nan")}, "max_backoff is nan"),
        ({"timeout": 0}, "timeout is 0"),
        ({"timeout": -1}, "timeout is -1"),
    ],
    ids=str,
)
def test_what_cannot_be_meant(odd: dict[str, Any], told: str) -> None:
    """An error that names the argument and what it may be."""
    with pytest.raises(ConfigError, match=told):
        RetryPolicy(**odd)


def test_timing() -> None:
    """Seconds, in milliseconds rounded up; nothing given is at once."""
    assert Timing.of(None, None) == AT_ONCE
    assert (Timing.of(0.0001, None).delay_ms, Timing.of(2, 3).ttl) == (1, 3.0)


@pytest.mark.parametrize(
    ("delay", "ttl", "told"),
    [
        (-1, None, "delay is -1"),
        (float("nan"), None, "delay is nan"),
        (float("inf"), None, "delay is inf"),
        ("soon", None, "delay is 'soon'"),
        (True, None, "delay is True"),
        (1e12, None, "ten years"),
        (None, 0, "ttl is 0"),
        (None, -5, "ttl is -5"),
        (None, "1", "ttl is '1'"),
    ],
    ids=str,
)
def test_timing_that_cannot_be_meant(delay: Any, ttl: Any, told: str) -> None:
    """An error that names the argument."""
    with pytest.raises(ConfigError, match=told):
        Timing.of(delay, ttl)
