"""Numbers of things, in words."""

import pytest

from lion_broker.core.numbers import counted


@pytest.mark.parametrize(
    ("number", "words", "said"),
    [
        (0, ("mail",), "0 mails"),
        (1, ("mail",), "1 mail"),
        (2480, ("mail",), "2,480 mails"),
        (1, ("branch",), "1 branch"),
        (2, ("branch",), "2 branches"),
        (2, ("entry",), "2 entries"),
        (2, ("key",), "2 keys"),
        (1, ("row of logs", "rows of logs"), "1 row of logs"),
        (3, ("row of logs", "rows of logs"), "3 rows of logs"),
    ],
)
def test_one_of_them_is_said_as_one(number: int, words: tuple[str, ...], said: str) -> None:
    """The plural stands for every number but one, and thousands are apart."""
    assert counted(number, *words) == said
