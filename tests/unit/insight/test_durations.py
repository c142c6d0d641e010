"""Lengths of time in the words of people."""

import pytest

from lion_broker.insight.durations import duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (0, "0"),
        (0.00034, "340 µs"),
        (0.0009996, "1 ms"),
        (0.0124, "12.4 ms"),
        (0.34, "340 ms"),
        (0.9996, "1 s"),
        (3.44, "3.4 s"),
        (5.02, "5 s"),
        (59.96, "1 min"),
        (302, "5 min 2 s"),
        (599.4, "9 min 59 s"),
        (599.7, "10 min"),
        (638, "10 min"),
        (3599, "59 min"),
        (3599.7, "1 h"),
        (3600 * 3 + 250, "3 h 4 min"),
        (86400 * 2, "2 d"),
        (86400 * 2.5, "2.5 d"),
    ],
)
def test_a_length_of_time(seconds: float | None, text: str) -> None:
    """No more figures than one reads, and never 60 of a unit."""
    assert duration(seconds) == text
